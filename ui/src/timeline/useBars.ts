/** Reads a run's task runs for its timeline, and keeps them as they are while the run goes on. */

import { useEffect, useState } from "react";
import { api, got } from "@/api/client";
import { followRun, type LiveBatch } from "@/live/live";
import { Bars, type TimelinePage } from "./bars";

/** The first answer is small, so that something is seen at once, and has keys. */
const FIRST = 2000;
const PAGE = 50_000;

/** How often new task runs, and all of them, are read while much happens. */
const NEWER_MS = 400;
const ALL_MS = 4000;

export interface Timeline {
  bars: Bars;
  /** Unix milliseconds. */
  origin: number;
  /** Counts up whenever the bars change. */
  version: number;
  /** Whether all pages are there. */
  whole: boolean;
  error: unknown;
}

const EMPTY: Timeline = { bars: new Bars(), origin: 0, version: 0, whole: false, error: null };

/** @param keyed Whether all keys are wanted, not only those of the first page. */
export function useBars(run: string, open: boolean, keyed = false): Timeline {
  const [timeline, setTimeline] = useState<Timeline>(EMPTY);
  useEffect(() => {
    const reader = new Reader(run, open, keyed, setTimeline);
    return () => reader.stop();
  }, [run, open, keyed]);
  return timeline;
}

class Reader {
  private readonly over = new AbortController();
  private readonly bars = new Bars();
  private origin = 0;
  private version = 0;
  private newest = -1;
  private unfollow: (() => void) | undefined;
  private newer: ReturnType<typeof setTimeout> | undefined;
  private all: ReturnType<typeof setTimeout> | undefined;
  private drawing = 0;

  constructor(
    private readonly run: string,
    open: boolean,
    private readonly keyed: boolean,
    private readonly show: (timeline: Timeline) => void,
  ) {
    void this.begin(open);
  }

  stop(): void {
    this.over.abort();
    this.unfollow?.();
    clearTimeout(this.newer);
    clearTimeout(this.all);
    cancelAnimationFrame(this.drawing);
  }

  private async begin(open: boolean): Promise<void> {
    try {
      const first = await this.page(-1, FIRST, true);
      this.origin = Date.parse(first.origin);
      if (open)
        this.unfollow = followRun(this.run, first.seq, (batch) => {
          this.hear(batch);
        });
      await this.rest(first.next);
    } catch (error) {
      if (!this.over.signal.aborted) this.tell(false, error);
    }
  }

  private async rest(after: number | null): Promise<void> {
    let next = after;
    while (next !== null) next = (await this.page(next, PAGE, this.keyed)).next;
    this.tell(true);
  }

  private async page(after: number, limit: number, keys: boolean): Promise<TimelinePage> {
    const page = await got(
      api.GET("/api/v1/runs/{run}/timeline", {
        params: { path: { run: this.run }, query: { after, limit, keys } },
        signal: this.over.signal,
      }),
    );
    this.bars.take(page);
    this.newest = Math.max(this.newest, page.idx.at(-1) ?? -1);
    this.tell(page.next === null);
    return page;
  }

  private hear(batch: LiveBatch): void {
    if (batch.refetch || (batch.many ?? []).some((each) => each.run === this.run)) this.readAll();
    let changed = false;
    for (const { idx, state, at, run } of batch.changes ?? []) {
      if (run !== this.run || idx === undefined || idx < 0 || !state) continue;
      if (this.bars.change(idx, state, Date.parse(at) - this.origin)) changed = true;
      else this.readNewer();
    }
    if (changed) this.tell(true);
  }

  private readNewer(): void {
    this.newer ??= setTimeout(() => {
      this.newer = undefined;
      void this.page(this.newest, PAGE, this.keyed || this.bars.count < FIRST).catch(() => undefined);
    }, NEWER_MS);
  }

  private readAll(): void {
    this.all ??= setTimeout(() => {
      this.all = undefined;
      void this.page(-1, PAGE, this.keyed)
        .then((page) => this.rest(page.next))
        .catch(() => undefined);
    }, ALL_MS);
  }

  /** At most once a frame. */
  private tell(whole: boolean, error: unknown = null): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => {
      this.version += 1;
      this.show({ bars: this.bars, origin: this.origin, version: this.version, whole, error });
    });
  }
}
