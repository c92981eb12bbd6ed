import { expect, it } from "vitest";
import type { RunView } from "@/api/client";
import { type BackfillView, grouped, partsOf, tickRuns } from "./ticks";

const backfill = {
  workflow: "etl",
  schedule: "default",
  total: 10,
  succeeded: 3,
  failed: 1,
  cancelled: 0,
  passed: 2,
  active: ["run_1"],
} as unknown as BackfillView;

const run = (id: string, tick: number, number = ""): RunView =>
  ({ id, key: `schedule:etl#default:${tick}${number}` }) as RunView;

it("counts each tick once", () => {
  expect(partsOf(backfill).map((each) => `${each.count} ${each.state}`)).toEqual([
    "3 succeeded",
    "1 failed",
    "2 skipped",
    "1 running",
    "3 pending",
  ]);
});

it("shows the newest run of a tick, in order of ticks", () => {
  const runs = [
    run("new", 86_400, ":2"),
    run("later", 172_800),
    run("old", 86_400),
    { id: "x", key: null } as RunView,
  ];
  expect(tickRuns(runs, backfill).map((each) => each.run.id)).toEqual(["new", "later"]);
});

it("groups by day where there are many ticks a day", () => {
  const hourly = Array.from({ length: 48 }, (_, at) => run(String(at), at * 3600));
  const label = (at: Date, by: string): string => at.toISOString().slice(0, by === "day" ? 10 : 7);
  expect(grouped(tickRuns(hourly, backfill), label).map(([key, group]) => [key, group.length])).toEqual([
    ["1970-01-01", 24],
    ["1970-01-02", 24],
  ]);
  expect(grouped(tickRuns(hourly.slice(0, 1), backfill), label)[0]?.[0]).toBe("1970-01");
});
