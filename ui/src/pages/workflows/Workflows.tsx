import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Workflows(): ReactElement {
  return (
    <Page title="Workflows">
      <Empty title="Workflows" />
    </Page>
  );
}
