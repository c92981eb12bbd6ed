import { expect, test } from "vitest";
import { cellOf, type Grid, type GridCell, rowsOf } from "./grid";

const cell = (state: string, idx = 1): GridCell => ({
  state,
  counts: null,
  started_at: "2026-01-01T00:00:00Z",
  ended_at: "2026-01-01T00:00:05Z",
  attempt: 1,
  idx,
});
const task = (name: string): Grid["tasks"][number] => ({ name, kind: "node", mapped: false });
const grid: Grid = {
  runs: [],
  tasks: [task("a"), task("b"), task("c"), task("d")],
  cells: [],
  next: null,
};
const groups = new Map([
  ["a", ["in"]],
  ["c", ["in", "deep"]],
  ["d", ["out"]],
]);

test("tasks of a group stand together below it", () => {
  const rows = rowsOf(grid, groups, new Set());
  expect(rows.map((row) => `${"-".repeat(row.depth)}${row.name}`)).toEqual([
    "in",
    "-a",
    "-deep",
    "--c",
    "b",
    "out",
    "-d",
  ]);
});

test("a folded group hides its tasks and keeps their places", () => {
  const rows = rowsOf(grid, groups, new Set(["in"]));
  expect(rows.map((row) => row.name)).toEqual(["in", "b", "out", "d"]);
  expect(rows[0]!.tasks).toEqual([0, 2]);
});

test("finding leaves groups without a hit away", () => {
  expect(rowsOf(grid, groups, new Set(), "D").map((row) => row.name)).toEqual(["out", "d"]);
});

test("a group shows what tells most of its tasks, and counts them", () => {
  const [row] = rowsOf(grid, groups, new Set(["in"]));
  const shown = cellOf(row!, [cell("succeeded"), null, cell("failed", 3), null]);
  expect(shown).toMatchObject({ state: "failed", counts: { succeeded: 1, failed: 1 }, idx: 1 });
  expect(cellOf(row!, [null, null, null, null])).toBeNull();
});
