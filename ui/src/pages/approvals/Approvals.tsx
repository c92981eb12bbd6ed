import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Approvals(): ReactElement {
  return (
    <Page title="Approvals">
      <Empty title="Approvals" />
    </Page>
  );
}
