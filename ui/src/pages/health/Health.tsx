import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Health(): ReactElement {
  return (
    <Page title="Health">
      <Empty title="Health" />
    </Page>
  );
}
