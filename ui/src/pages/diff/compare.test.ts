import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { arranged, countsOf, jsonOf, pairTasks, textOf, withoutColours, withoutTimes } from "./compare";

/** A timeline of tasks given as key, state and milliseconds; the root comes first. */
function timeline(...tasks: [string, string, number][]): Schemas["TimelineView"] {
  const all: [string, string, number][] = [["root", "failed", 999], ...tasks];
  const states = [...new Set(all.map(([, state]) => state))];
  const zeros = all.map(() => 0);
  return {
    run: "r",
    origin: "",
    seq: 0,
    total: all.length,
    next: null,
    names: ["n"],
    kinds: ["root", "node"],
    states,
    workers: [""],
    idx: all.map((_, at) => at),
    name: zeros,
    kind: all.map((_, at) => (at === 0 ? 0 : 1)),
    parent: zeros,
    map_index: zeros,
    state: all.map(([, state]) => states.indexOf(state)),
    attempt: zeros,
    added: zeros,
    started: zeros,
    ended: all.map(([, , ms]) => ms),
    changed: zeros,
    worker: zeros,
    keys: all.map(([key]) => key),
  };
}

describe("task runs of two runs", () => {
  const pairs = pairTasks(
    [timeline(["load", "succeeded", 1000], ["old", "succeeded", 5], ["odd", "failed", 10])],
    [timeline(["load", "succeeded", 1700], ["odd", "succeeded", 12], ["new", "running", -1])],
  );

  it("are matched by key", () => {
    expect(pairs.map((each) => each.key)).toEqual(["load", "old", "odd", "new"]);
    expect(pairs[0]).toMatchObject({ delta: 700, differs: true });
    expect(pairs[3]!.b!.ms).toBeNaN();
    expect(countsOf(pairs)).toEqual({ onlyA: 1, onlyB: 1, states: 1, times: 1, same: 0 });
  });

  it("differ in time only by what matters", () => {
    const [close] = pairTasks([timeline(["x", "succeeded", 20])], [timeline(["x", "succeeded", 90])]);
    expect(close!.differs).toBe(false);
  });

  it("are arranged", () => {
    const keys = (order: "run" | "slower" | "faster"): string[] =>
      arranged(pairs, { same: true, find: "", order }).map((each) => each.key);
    expect(keys("slower")).toEqual(["load", "odd", "old", "new"]);
    expect(keys("faster").slice(0, 2)).toEqual(["odd", "load"]);
    expect(arranged(pairs, { same: true, find: "O", order: "run" }).map((each) => each.key)).toEqual([
      "load",
      "old",
      "odd",
    ]);
  });
});

describe("values", () => {
  it("have their keys in order", () =>
    expect(jsonOf({ b: 1, a: { d: 1, c: 2 } })).toBe(jsonOf({ a: { c: 2, d: 1 }, b: 1 })));
  it("that are not plain are told as what is known", () =>
    expect(textOf({ format: "pickle", size: 9, preview: "<obj>" })).toBe("pickle, 9 bytes\n<obj>"));
});

describe("lines of logs", () => {
  it("are compared without times", () =>
    expect(withoutTimes("2026-11-24T03:11:28.1Z took 1.5 s of run_01M85RJXXY5MG91E5ZF2AD8CHJ")).toBe(
      "‹time› took ‹span› of ‹run›",
    ));
  it("are shown without colours", () => expect(withoutColours("\x1b[31mred\x1b[0m")).toBe("red"));
});
