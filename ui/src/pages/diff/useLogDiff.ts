/** The difference of two logs: both are read up to a size, and compared in a worker. */

import { useQuery } from "@tanstack/react-query";
import { api, got } from "@/api/client";
import type { Side } from "./compare";
import type { Answer, Question } from "./logdiff.worker";

/** Bytes of a log that are compared, from its end. */
export const LOG_MOST = 4 << 20;
const PART = 1 << 20;

interface Log {
  text: string;
  size: number;
  /** Whether its beginning was left out. */
  cut: boolean;
}

async function readLog(run: string, side: Side | undefined, signal: AbortSignal): Promise<Log> {
  if (!side || side.attempt === 0) return { text: "", size: 0, cut: false };
  const read = (query: { start?: number; limit: number }) =>
    got(
      api.GET("/api/v1/runs/{run}/tasks/{idx}/log", {
        params: { path: { run, idx: side.idx }, query: { ...query, attempt: side.attempt } },
        signal,
      }),
    );
  const { size } = await read({ limit: 1 });
  let start = Math.max(size - LOG_MOST, 0);
  const cut = start > 0;
  const parts: string[] = [];
  while (start < size) {
    const part = await read({ start, limit: PART });
    if (part.end <= start) break;
    parts.push(part.text);
    start = part.end;
  }
  const text = parts.join("");
  // The first line of a part from the middle is not whole.
  return { text: cut ? text.slice(text.indexOf("\n") + 1) : text, size, cut };
}

function compare(question: Question, signal: AbortSignal): Promise<Answer> {
  const worker = new Worker(new URL("./logdiff.worker.ts", import.meta.url), { type: "module" });
  return new Promise<Answer>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new DOMException("no longer wanted", "AbortError")));
    worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message || "the logs could not be compared"));
    worker.postMessage(question);
  }).finally(() => worker.terminate());
}

export interface LogComparison extends Answer {
  sizes: [number, number];
  cut: boolean;
}

const useLog = (run: string, side: Side | undefined) =>
  useQuery({
    queryKey: ["run", run, "task", side?.idx, "whole log", side?.attempt],
    queryFn: ({ signal }) => readLog(run, side, signal),
    gcTime: 60_000,
  });

export function useLogDiff(
  a: { run: string; side: Side | undefined },
  b: { run: string; side: Side | undefined },
  times: boolean,
) {
  const first = useLog(a.run, a.side);
  const second = useLog(b.run, b.side);
  const ready = first.data !== undefined && second.data !== undefined;
  const found = useQuery({
    // When a log was read again it is another question.
    queryKey: ["log diff", a, b, times, first.dataUpdatedAt, second.dataUpdatedAt],
    queryFn: async ({ signal }): Promise<LogComparison> => {
      const [one, other] = [first.data!, second.data!];
      const answer = await compare({ a: one.text, b: other.text, times }, signal);
      return { ...answer, sizes: [one.size, other.size], cut: one.cut || other.cut };
    },
    enabled: ready,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return {
    data: found.data,
    error: first.error ?? second.error ?? found.error,
    isPending: found.isPending,
    refetch: () => void Promise.all([first.refetch(), second.refetch()]),
  };
}
