import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Workflow(): ReactElement {
  return (
    <Page title="Workflow">
      <Empty title="Workflow" />
    </Page>
  );
}
