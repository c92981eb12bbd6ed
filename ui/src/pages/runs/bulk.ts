/** The same done to many runs: counted first, then done part by part, with what came of it for each run. */

import { api, got, type RunView, type Schemas } from "@/api/client";

export type Action = Schemas["Bulk"]["action"];

/** The service takes so many runs in one request. */
export const MOST = 10_000;

export interface Outcome {
  count: number;
  /** Ids of the first of them. */
  runs: string[];
  refused: Record<string, string>;
  /** There are more that match than one request takes. */
  more: boolean;
}

export const NOTHING: Outcome = { count: 0, runs: [], refused: {}, more: false };

export const joined = (one: Outcome, other: Outcome): Outcome => ({
  count: one.count + other.count,
  runs: [...one.runs, ...other.runs],
  refused: { ...one.refused, ...other.refused },
  more: one.more || other.more,
});

/** Do it to all that the queries pick, or only count; `onPart` tells how far it is. */
export async function change(
  action: Action,
  queries: readonly string[],
  dryRun: boolean,
  onPart: (done: number) => void = () => undefined,
): Promise<Outcome> {
  let outcome = NOTHING;
  for (const [at, where] of queries.entries()) {
    const body = { action, where, dry_run: dryRun, limit: MOST };
    outcome = joined(outcome, await got(api.POST("/api/v1/runs/bulk", { body })));
    onPart(at + 1);
  }
  return outcome;
}

const PAGE = 1000;

/** The runs that the queries pick, the newest `MOST` at most. */
export async function collect(queries: readonly string[]): Promise<{ runs: RunView[]; more: boolean }> {
  const runs: RunView[] = [];
  for (const where of queries) {
    let page: string | undefined;
    do {
      const found = await got(api.GET("/api/v1/runs", { params: { query: { where, limit: PAGE, page } } }));
      runs.push(...found.items);
      page = found.next ?? undefined;
    } while (page && runs.length < MOST);
    if (page) return { runs: runs.slice(0, MOST), more: true };
  }
  return { runs, more: false };
}

const AT_ONCE = 6;

/** Give each of the runs a tag beside those it has. */
export async function tagAll(
  runs: readonly RunView[],
  tag: string,
  onPart: (done: number) => void,
): Promise<Outcome> {
  const outcome = { ...NOTHING, runs: [] as string[], refused: {} as Record<string, string> };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let run = runs[next++]; run; run = runs[next++]) {
      try {
        const body = { tags: [...run.tags, tag] };
        await got(api.PATCH("/api/v1/runs/{run}", { params: { path: { run: run.id } }, body }));
        outcome.count += 1;
        outcome.runs.push(run.id);
      } catch (error) {
        outcome.refused[run.id] = error instanceof Error ? error.message : String(error);
      }
      onPart(outcome.count + Object.keys(outcome.refused).length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcome;
}
