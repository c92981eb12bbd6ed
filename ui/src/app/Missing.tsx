import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Empty, Page } from "@/kit/Page";

export function Missing(): ReactElement {
  return (
    <Page title="Not found">
      <Empty title="There is no page at this address">
        Perhaps what it showed was deleted. <Link to="/">Go home</Link>, or press <kbd>/</kbd> to search.
      </Empty>
    </Page>
  );
}
