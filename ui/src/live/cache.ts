/** Lets the changes that come flow into what pages have read. */

import type { QueryClient } from "@tanstack/react-query";
import type { ChangeView, RunDetail, RunView } from "@/api/client";
import { type LiveBatch, linkState, onBatch, onLink } from "./live";

/** Lists are read anew at most this often. */
const LISTS_EVERY_MS = 2000;

/** Begin; call it once. */
export function feed(client: QueryClient): void {
  const stale = new Throttle(LISTS_EVERY_MS, (keys) => {
    for (const key of keys) void client.invalidateQueries({ queryKey: JSON.parse(key) as unknown[] });
  });
  let lost = false;
  onLink(() => {
    const { up, ever } = linkState();
    // After a gap the stream goes on where it was, but the service may be another one by now.
    if (up && lost) void client.invalidateQueries();
    lost = ever && !up;
  });
  onBatch((batch) => take(client, batch, stale));
}

function take(client: QueryClient, batch: LiveBatch, stale: Throttle): void {
  if (batch.refetch) {
    stale.add([]);
    return;
  }
  for (const each of batch.many ?? []) stale.add(["run", each.run]);
  for (const change of batch.changes ?? []) {
    if (change.kind === "run" || change.kind === "run_added") {
      patchRun(client, change);
      stale.add(["runs"]);
      stale.add(["overview"]);
      stale.add(["workflows"]);
      // What makes runs, and what runs make: schedules, triggers, backfills, assets, happenings.
      stale.add(["acts"]);
      stale.add(["workflow", change.workflow]);
      stale.add(["run", change.run]);
    } else {
      if (change.idx !== undefined && change.idx >= 0) stale.add(["run", change.run, "task", change.idx]);
      stale.add(["run", change.run, "tasks"]);
      stale.add(["run", change.run, "counts"]);
      if (change.kind === "showed") stale.add(["run", change.run, "published"]);
    }
    if (change.state === "waiting" || change.cause === "answered") stale.add(["approvals"]);
  }
}

/** What is seen at once: the state of a run that some page shows. */
function patchRun(client: QueryClient, change: ChangeView): void {
  if (!change.state) return;
  const patch = <T extends RunView>(run: T): T =>
    run.id === change.run ? { ...run, state: change.state! } : run;
  client.setQueryData<RunDetail>(["run", change.run], (run) => run && patch(run));
}

/** Gathers keys, and hands them on at most every so often: the first at once. */
class Throttle {
  private keys = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = 0;

  constructor(
    private readonly everyMs: number,
    private readonly act: (keys: string[]) => void,
  ) {}

  add(key: readonly unknown[]): void {
    this.keys.add(JSON.stringify(key));
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        this.last = performance.now();
        const keys = [...this.keys];
        this.keys.clear();
        this.act(keys);
      },
      Math.max(100, this.last + this.everyMs - performance.now()),
    );
  }
}
