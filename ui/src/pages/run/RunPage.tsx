import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function RunPage(): ReactElement {
  return (
    <Page title="RunPage">
      <Empty title="RunPage" />
    </Page>
  );
}
