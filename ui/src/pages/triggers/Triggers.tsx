import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Triggers(): ReactElement {
  return (
    <Page title="Triggers">
      <Empty title="Triggers" />
    </Page>
  );
}
