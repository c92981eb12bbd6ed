import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Automations(): ReactElement {
  return (
    <Page title="Automations">
      <Empty title="Automations" />
    </Page>
  );
}
