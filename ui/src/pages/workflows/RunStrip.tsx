/** A workflow's latest runs as marks in a row; each leads to its run. Arrow keys go from one to the next. */

import { useRouter } from "@tanstack/react-router";
import type { KeyboardEvent, MouseEvent, ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { StateMark } from "@/kit/StateMark";
import { labelOf } from "@/model/states";
import { agoText, durationText, spentMs } from "@/model/time";
import "./RunStrip.css";

export function RunStrip({ name, runs }: { name: string; runs: readonly Schemas["RunPip"][] }): ReactElement {
  const router = useRouter();
  if (runs.length === 0) return <span className="muted">no runs yet</span>;
  const now = Date.now();
  const onClick = (event: MouseEvent<HTMLAnchorElement>, run: string): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    void router.navigate({ to: "/runs/$run", params: { run } });
  };
  const onKey = (event: KeyboardEvent<HTMLElement>): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const marks = [...event.currentTarget.querySelectorAll("a")];
    marks[marks.indexOf(document.activeElement as HTMLAnchorElement) + step]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys move between the links inside
    <span className="strip" onKeyDown={onKey}>
      {runs.map((each, at) => {
        const spent = durationText(spentMs(each.started_at, each.ended_at, now));
        const text = [labelOf(each.state), agoText(new Date(each.created_at), now), spent && `took ${spent}`]
          .filter(Boolean)
          .join(", ");
        return (
          // A plain link: thousands of them follow no state of the router.
          <a
            key={each.id}
            className="strip-run"
            href={router.buildLocation({ to: "/runs/$run", params: { run: each.id } }).href}
            title={text}
            aria-label={`A run of ${name}: ${text}`}
            tabIndex={at === runs.length - 1 ? 0 : -1}
            onClick={(event) => onClick(event, each.id)}
          >
            <StateMark state={each.state} size={11} />
          </a>
        );
      })}
    </span>
  );
}
