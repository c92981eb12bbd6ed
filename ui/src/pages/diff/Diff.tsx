import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Diff(): ReactElement {
  return (
    <Page title="Diff">
      <Empty title="Diff" />
    </Page>
  );
}
