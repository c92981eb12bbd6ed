import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export default function Home(): ReactElement {
  return (
    <Page title="Home">
      <Empty title="Home" />
    </Page>
  );
}
