/** The lines of a log in which something was found, as the service finds them. */

import { useEffect, useState } from "react";
import { api, got, type Schemas } from "@/api/client";

type Match = Schemas["Match"];

export interface Hits {
  matches: Match[];
  /** Whether more may come. */
  searching: boolean;
  /** Whether there are more than are kept. */
  cut: boolean;
  error: unknown;
}

const NONE: Hits = { matches: [], searching: false, cut: false, error: null };
const AT_ONCE = 1000;
const MOST = 5000;
/** People type faster than anybody wants to search. */
const PAUSE_MS = 250;

export function useHits(run: string, idx: number, attempt: number, pattern: string, regex: boolean): Hits {
  const [hits, setHits] = useState<Hits>(NONE);
  useEffect(() => {
    if (pattern === "") {
      setHits(NONE);
      return;
    }
    const over = new AbortController();
    const search = async (): Promise<void> => {
      let start = 0;
      let matches: Match[] = [];
      while (!over.signal.aborted) {
        const found = await got(
          api.GET("/api/v1/runs/{run}/tasks/{idx}/log/search", {
            params: { path: { run, idx }, query: { attempt, pattern, regex, start, limit: AT_ONCE } },
            signal: over.signal,
          }),
        );
        matches = [...matches, ...found.matches];
        const ended = found.complete || found.searched <= start || matches.length >= MOST;
        setHits({ matches, searching: !ended, cut: ended && !found.complete, error: null });
        if (ended) return;
        start = found.searched;
      }
    };
    setHits((before) => ({ ...before, searching: true, error: null }));
    const timer = setTimeout(() => {
      search().catch((error: unknown) => {
        if (!over.signal.aborted) setHits({ ...NONE, error });
      });
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      over.abort();
    };
  }, [run, idx, attempt, pattern, regex]);
  return hits;
}
