import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Assets(): ReactElement {
  return (
    <Page title="Assets">
      <Empty title="Assets" />
    </Page>
  );
}
