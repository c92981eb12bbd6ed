import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Audit(): ReactElement {
  return (
    <Page title="Audit">
      <Empty title="Audit" />
    </Page>
  );
}
