import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Pools(): ReactElement {
  return (
    <Page title="Pools">
      <Empty title="Pools" />
    </Page>
  );
}
