/** A log as pages of lines that are read when they are seen, and what is appended as it comes. */

import { useCallback, useEffect, useRef, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { authorization } from "@/api/token";
import { addressOf } from "@/app/base";
import { follow } from "@/live/sse";
import { LinePages, PAGE } from "./pages";

type LogChunk = Schemas["LogChunk"];

export interface Log {
  pages: LinePages;
  /** Lines in the log; the last one may not be whole. */
  lines: number;
  size: number;
  /** Whether nothing more will come. */
  finished: boolean;
  /** Whether it was asked how long the log is. */
  known: boolean;
  /** Counts up whenever lines came. */
  version: number;
  error: unknown;
  /** See that lines `from` to `to`, from 0, are there. */
  want: (from: number, to: number) => void;
}

const count = (chunk: LogChunk): number => (chunk.size === 0 ? 0 : chunk.lines);

export function useLog(run: string, idx: number, attempt: number, live: boolean): Log {
  const pages = useRef(new LinePages());
  const asked = useRef(new Set<number>());
  const [state, setState] = useState({ lines: 0, size: 0, finished: false, known: false, version: 0 });
  const [error, setError] = useState<unknown>(null);
  const total = useRef(0);

  useEffect(() => {
    const over = new AbortController();
    pages.current.clear();
    asked.current.clear();
    total.current = 0;
    setError(null);
    setState({ lines: 0, size: 0, finished: false, known: false, version: 0 });
    let unfollow: (() => void) | undefined;
    const begin = async (): Promise<void> => {
      const chunk = await got(
        api.GET("/api/v1/runs/{run}/tasks/{idx}/log", {
          params: { path: { run, idx }, query: { attempt, limit: 1, tail: true } },
          signal: over.signal,
        }),
      );
      // The line that the log ends in is empty after a line end; it is no line to show.
      total.current = count(chunk) - (chunk.text.endsWith("\n") ? 1 : 0);
      setState({
        lines: total.current,
        size: chunk.size,
        finished: chunk.finished,
        known: true,
        version: 1,
      });
      if (live && !chunk.finished) unfollow = grow(chunk.size);
    };
    /** Append what comes; the first part may complete the line before it. */
    const grow = (from: number): (() => void) => {
      let rest = "";
      let begun = false;
      return follow({
        url: addressOf(
          `api/v1/runs/${encodeURIComponent(run)}/tasks/${idx}/log/follow?attempt=${attempt}&start=${from}`,
        ),
        headers: authorization,
        onState: () => undefined,
        onEvent: ({ event, data }) => {
          const chunk = JSON.parse(data) as LogChunk;
          if (event === "end") {
            unfollow?.();
            setState((before) => ({ ...before, finished: true }));
            return;
          }
          const first = chunk.line - 1;
          const lines = (rest + chunk.text).split("\n");
          rest = lines.at(-1) ?? "";
          if (rest === "") lines.pop();
          // What the log's first unread line began with is on a page that was or will be read whole.
          if (begun || from === 0) pages.current.append(first, lines);
          else pages.current.append(first + 1, lines.slice(1));
          begun = true;
          total.current = Math.max(total.current, first + lines.length);
          setState((before) => ({
            ...before,
            lines: total.current,
            size: chunk.end,
            version: before.version + 1,
          }));
        },
      });
    };
    begin().catch((problem: unknown) => {
      if (!over.signal.aborted) setError(problem);
    });
    return () => {
      over.abort();
      unfollow?.();
    };
  }, [run, idx, attempt, live]);

  const want = useCallback(
    (from: number, to: number) => {
      for (const page of pages.current.missing(from, to, total.current)) {
        if (asked.current.has(page)) continue;
        asked.current.add(page);
        got(
          api.GET("/api/v1/runs/{run}/tasks/{idx}/log/lines", {
            params: { path: { run, idx }, query: { attempt, first: page * PAGE + 1, count: PAGE } },
          }),
        )
          .then((chunk) => {
            const lines = chunk.text.split("\n");
            if (lines.at(-1) === "") lines.pop();
            pages.current.put(page, lines);
            setState((before) => ({ ...before, version: before.version + 1 }));
          })
          .catch(setError)
          .finally(() => asked.current.delete(page));
      }
    },
    [run, idx, attempt],
  );
  return { pages: pages.current, ...state, error, want };
}
