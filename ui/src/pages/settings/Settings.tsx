import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Settings(): ReactElement {
  return (
    <Page title="Settings">
      <Empty title="Settings" />
    </Page>
  );
}
