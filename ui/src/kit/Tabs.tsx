/** Parts of a page, each with an address of its own: the chosen one is in the URL's search. */

import { Link } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";
import "./Tabs.css";

export interface Tab {
  key: string;
  title: ReactNode;
  /** A number beside the title. */
  count?: number;
}

export function Tabs({
  tabs,
  current,
  label,
}: {
  tabs: readonly Tab[];
  current: string;
  label: string;
}): ReactElement {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((each, at) => (
        <Link
          key={each.key}
          to="."
          search={(old: Record<string, unknown>) => ({ ...old, tab: at === 0 ? undefined : each.key })}
          // Without this a link is "current" wherever its search is a part of the address's.
          activeOptions={{ exact: true, explicitUndefined: true }}
          className="tab"
          aria-current={each.key === current ? "page" : undefined}
        >
          {each.title}
          {each.count !== undefined && (
            <span className="tab-count num">{each.count.toLocaleString("en-US")}</span>
          )}
        </Link>
      ))}
    </nav>
  );
}
