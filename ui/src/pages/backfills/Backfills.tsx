import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Backfills(): ReactElement {
  return (
    <Page title="Backfills">
      <Empty title="Backfills" />
    </Page>
  );
}
