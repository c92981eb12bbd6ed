import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function TaskPage(): ReactElement {
  return (
    <Page title="TaskPage">
      <Empty title="TaskPage" />
    </Page>
  );
}
