import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Runs(): ReactElement {
  return (
    <Page title="Runs">
      <Empty title="Runs" />
    </Page>
  );
}
