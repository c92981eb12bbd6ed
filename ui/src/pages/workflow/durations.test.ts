import { expect, test } from "vitest";
import type { RunView } from "@/api/client";
import { part, tookOf } from "./durations";

const run = (start: number, seconds: number | null, state = "succeeded"): RunView => ({
  id: `run_${start}`,
  workflow: "w",
  version: 1,
  dialect: "native",
  state,
  tags: [],
  created_at: new Date(start * 1000).toISOString(),
  started_at: new Date(start * 1000).toISOString(),
  ended_at: seconds === null ? null : new Date((start + seconds) * 1000).toISOString(),
});

test("parts are values that there are", () => {
  expect(part([1, 2, 3, 4], 0.5)).toBe(2);
  expect(part([1, 2, 3, 4], 0.95)).toBe(4);
  expect(part([], 0.5)).toBeNull();
});

test("runs stand in the order of their starts, and open ones are left out", () => {
  const found = tookOf([run(20, 3), run(10, 1), run(30, null)]);
  expect(found.map(({ at, seconds }) => [at, seconds])).toEqual([
    [10, 1],
    [20, 3],
  ]);
});

test("the lines follow the succeeded runs of the window only", () => {
  const found = tookOf([run(1, 50, "failed"), run(2, 1), run(3, 3), run(4, 5)], 2);
  expect(found.map(({ p50, p95 }) => [p50, p95])).toEqual([
    [null, null],
    [1, 1],
    [1, 3],
    [3, 5],
  ]);
});
