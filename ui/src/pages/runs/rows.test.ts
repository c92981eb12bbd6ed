import { describe, expect, it } from "vitest";
import type { RunView } from "@/api/client";
import { merged, queriesOf, until } from "./rows";

const run = (number: number, state = "running"): RunView => ({
  id: `r${number}`,
  workflow: "w",
  version: 1,
  dialect: "native",
  state,
  tags: [],
  created_at: `2026-01-01T00:00:${String(number).padStart(2, "0")}Z`,
});
const none = new Map();
const ids = (runs: RunView[]): string[] => runs.map((each) => each.id);

describe("a list of runs", () => {
  const pages = [
    { items: [run(5), run(4)], next: "x" },
    { items: [run(3), run(2)], next: null },
  ];

  it("has new runs at its head, and the old ones after it", () =>
    expect(ids(merged({ items: [run(6), run(5)], next: "y" }, pages, none))).toEqual([
      "r6",
      "r5",
      "r4",
      "r3",
      "r2",
    ]));

  it("loses what the head has no more", () =>
    expect(ids(merged({ items: [run(5), run(3)], next: "y" }, pages, none))).toEqual(["r5", "r3", "r2"]));

  it("is the head where the head is all", () =>
    expect(ids(merged({ items: [run(6)], next: null }, pages, none))).toEqual(["r6"]));

  it("goes by time where the head has moved past what was read", () =>
    expect(ids(merged({ items: [run(9), run(8)], next: "y" }, pages, none))).toEqual([
      "r9",
      "r8",
      "r5",
      "r4",
      "r3",
      "r2",
    ]));

  it("knows what changed in rows that were read before", () => {
    const later = new Map([["r2", { state: "succeeded", at: "2026-01-01T00:01:00Z" }]]);
    const last = merged({ items: [run(5), run(4)], next: "y" }, pages, later).at(-1);
    expect(last).toMatchObject({ state: "succeeded", ended_at: "2026-01-01T00:01:00Z" });
  });
});

it("many runs are picked by several queries", () => {
  const queries = queriesOf(Array.from({ length: 150 }, (_, at) => `run_${at}`));
  expect(queries).toHaveLength(2);
  expect(queries[1]!.split(",")).toHaveLength(50);
});

it("a query can leave out what comes later", () => {
  const at = new Date("2026-01-01T00:00:00Z");
  expect(until("", at)).toBe("created<=2026-01-01T00:00:00.000Z");
  expect(until("state:failed", at)).toBe("state:failed created<=2026-01-01T00:00:00.000Z");
});
