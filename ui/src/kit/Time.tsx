/** Moments and durations, in the zone that the person chose; what is live counts on. */

import { type ReactElement, useSyncExternalStore } from "react";
import { usePreferences } from "@/app/preferences";
import { agoText, durationText, momentDetail, momentText, spentMs } from "@/model/time";

const ticking = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function onTick(listener: () => void): () => void {
  ticking.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of ticking) each();
  }, 1000);
  return () => {
    ticking.delete(listener);
    if (ticking.size === 0 && timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

const never = (): (() => void) => () => undefined;

/** Unix milliseconds, each second anew while `live`. */
export const useNow = (live = true): number =>
  useSyncExternalStore(live ? onTick : never, () =>
    live && timer === undefined ? Date.now() - (Date.now() % 1000) : now,
  );

interface TimeProps {
  at: string | null | undefined;
  /** `3 m ago` instead of the clock. */
  ago?: boolean;
}

export function Time({ at, ago = false }: TimeProps): ReactElement | null {
  const { zone } = usePreferences();
  const current = useNow(ago && Boolean(at));
  if (!at) return <span className="muted">–</span>;
  const date = new Date(at);
  return (
    <time className="num" dateTime={at} title={momentDetail(date, zone)}>
      {ago ? agoText(date, current) : momentText(date, zone)}
    </time>
  );
}

interface SpentProps {
  from: string | null | undefined;
  to: string | null | undefined;
}

/** How long something took; without an end it counts on. */
export function Spent({ from, to }: SpentProps): ReactElement {
  const current = useNow(Boolean(from) && !to);
  const text = durationText(Math.max(spentMs(from, to, current), 0));
  return text ? <span className="num">{text}</span> : <span className="muted">–</span>;
}
