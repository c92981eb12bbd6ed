import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Schedules(): ReactElement {
  return (
    <Page title="Schedules">
      <Empty title="Schedules" />
    </Page>
  );
}
