import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Engines(): ReactElement {
  return (
    <Page title="Engines">
      <Empty title="Engines" />
    </Page>
  );
}
