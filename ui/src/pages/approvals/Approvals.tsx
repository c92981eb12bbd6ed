/** What waits for a person, the oldest first: read, answer, and the next one is there. */

import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useCallback, useEffect, useMemo, useRef } from "react";
import { api, got } from "@/api/client";
import { everything } from "@/api/pages";
import { isTyping } from "@/app/shortcuts";
import { Approval, Deadline } from "@/approval/Approval";
import { type ApprovalView, idOf, mayAnswer, oldestFirst, summaryOf } from "@/approval/queue";
import { Select } from "@/kit/Field";
import { Empty, Page } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Time } from "@/kit/Time";
import "./Approvals.css";

const route = getRouteApi("/approvals");

export default function Approvals(): ReactElement {
  const { at, tab: whose = "all" } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    queryKey: ["approvals"],
    queryFn: ({ signal }) =>
      everything((page) =>
        got(api.GET("/api/v1/approvals", { params: { query: { limit: 1000, page } }, signal })),
      ),
    refetchInterval: 20_000,
  });
  const me = useQuery({
    queryKey: ["me"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/me", { signal })),
    staleTime: 60_000,
  });
  const name = me.data?.name;
  const items = query.data?.items;
  const shown = useMemo(() => {
    const all = oldestFirst(items ?? []);
    return whose === "mine" && name ? all.filter((each) => mayAnswer(each, name)) : all;
  }, [items, whose, name]);
  const chosen = shown.find((each) => idOf(each) === at) ?? shown[0];
  const place = chosen ? shown.indexOf(chosen) : -1;
  const list = useRef<HTMLUListElement>(null);

  const go = useCallback(
    (next: ApprovalView | undefined) =>
      void navigate({ search: (old) => ({ ...old, at: next && idOf(next) }), replace: true }),
    [navigate],
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("[role=dialog]") || !["j", "k"].includes(event.key)) return;
      event.preventDefault();
      const next = shown[Math.max(0, Math.min(shown.length - 1, place + (event.key === "j" ? 1 : -1)))];
      go(next);
      requestAnimationFrame(() =>
        list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" }),
      );
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [shown, place, go]);

  return (
    <Page
      title="Approvals"
      sign={items?.length ? `(${items.length})` : undefined}
      full
      meta={
        items &&
        items.length > 0 && (
          <span>
            {items.length} {items.length === 1 ? "waits" : "wait"} for a person, the oldest first ·{" "}
            <kbd>j</kbd> <kbd>k</kbd> next and previous, <kbd>a</kbd> approve, <kbd>r</kbd> reject
          </span>
        )
      }
      actions={
        <Select
          label="Whose approvals"
          bare
          value={whose === "mine" ? "mine" : "all"}
          options={[
            ["all", "All"],
            ["mine", "That I may answer"],
          ]}
          onChange={(next) =>
            void navigate({ search: (old) => ({ ...old, tab: next === "mine" ? "mine" : undefined }) })
          }
        />
      }
    >
      <Loaded query={query}>
        {() =>
          chosen ? (
            <div className="approvals">
              <ul className="approvals-list" aria-label="Waiting" ref={list}>
                {shown.map((each) => (
                  <li key={idOf(each)}>
                    <button
                      type="button"
                      className="approvals-item"
                      aria-current={each === chosen}
                      onClick={() => go(each)}
                    >
                      <span className="approvals-name">
                        <strong>{each.workflow}</strong>
                        <Time at={each.since} ago />
                      </span>
                      <span className="approvals-summary">{summaryOf(each.prompt)}</span>
                      {each.due_at && <Deadline at={each.due_at} otherwise={each.default} />}
                    </button>
                  </li>
                ))}
              </ul>
              <Approval
                key={idOf(chosen)}
                approval={chosen}
                me={name}
                onDone={() => go(shown[place + 1] ?? shown[place - 1])}
              />
            </div>
          ) : (
            <Empty
              title={whose === "mine" && items?.length ? "None of them is for you" : "Nobody is waited for"}
            >
              A workflow that calls <code>approval()</code> stops here until somebody says yes or no.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  );
}
