import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Config(): ReactElement {
  return (
    <Page title="Config">
      <Empty title="Config" />
    </Page>
  );
}
