import { describe, expect, it } from "vitest";
import { Bars, NONE, type TimelinePage } from "./bars";
import { criticalPath } from "./critical";
import { firstIn, lanesOf } from "./lanes";
import { fitted, ticks, zoomed } from "./window";

type Row = {
  name?: string;
  kind?: string;
  parent?: number;
  added: number;
  started?: number;
  ended?: number;
  state?: string;
};

function page(rows: Row[], first = 0): TimelinePage {
  const names = [...new Set(rows.map((each) => each.name ?? "t"))];
  const kinds = [...new Set(rows.map((each) => each.kind ?? "task"))];
  const states = [...new Set(rows.map((each) => each.state ?? "succeeded"))];
  return {
    run: "run_1",
    origin: "2026-11-24T00:00:00Z",
    seq: 1,
    total: rows.length,
    next: null,
    names,
    kinds,
    states,
    workers: ["w"],
    idx: rows.map((_, at) => first + at),
    name: rows.map((each) => names.indexOf(each.name ?? "t")),
    kind: rows.map((each) => kinds.indexOf(each.kind ?? "task")),
    parent: rows.map((each) => each.parent ?? NONE),
    map_index: rows.map((_, at) => at),
    state: rows.map((each) => states.indexOf(each.state ?? "succeeded")),
    attempt: rows.map(() => 1),
    added: rows.map((each) => each.added),
    started: rows.map((each) => each.started ?? NONE),
    ended: rows.map((each) => each.ended ?? NONE),
    changed: rows.map((each) => each.ended ?? each.added),
    worker: rows.map(() => 0),
    keys: [],
  };
}

const barsOf = (rows: Row[]): Bars => {
  const bars = new Bars();
  bars.take(page(rows));
  return bars;
};

describe("bars", () => {
  it("grows over many pages and replaces what it has", () => {
    const bars = new Bars();
    for (let at = 0; at < 5; at++)
      bars.take(
        page(
          Array.from({ length: 1000 }, (_, n) => ({ added: n, name: `p${at}` })),
          at * 1000,
        ),
      );
    expect(bars.count).toBe(5000);
    expect(bars.nameOf(bars.rowOf(4999))).toBe("p4");
    bars.take(page([{ added: 7, name: "again", state: "failed" }], 4999));
    expect(bars.count).toBe(5000);
    expect(bars.stateOf(bars.rowOf(4999))).toBe("failed");
  });

  it("takes live changes of what it knows, and says what it does not know", () => {
    const bars = barsOf([{ added: 0, state: "queued" }]);
    expect(bars.change(0, "running", 5)).toBe(true);
    expect([bars.started[0], bars.ended[0]]).toEqual([5, NONE]);
    expect(bars.endOf(0, 9)).toBe(9);
    bars.change(0, "succeeded", 12);
    expect(bars.endOf(0, 99)).toBe(12);
    expect(bars.change(8, "running", 5)).toBe(false);
  });
});

describe("lanes", () => {
  it("packs bars that do not meet into one lane", () => {
    const bars = barsOf([
      { added: 0, started: 0, ended: 10 },
      { added: 0, started: 5, ended: 15 },
      { added: 0, started: 10, ended: 20 },
      { added: 0, started: 1, ended: 2, name: "other" },
    ]);
    const lanes = lanesOf(bars, "task", 20);
    expect(lanes.map((each) => [each.label, [...each.rows]])).toEqual([
      ["t", [0, 2]],
      ["", [1]],
      ["other", [3]],
    ]);
  });

  it("never lets two bars of a lane overlap", () => {
    let seed = 9;
    const dice = (): number => {
      seed = (seed * 16807) % 2147483647;
      return seed / 2147483647;
    };
    const rows = Array.from({ length: 2000 }, () => {
      const started = dice() * 1000;
      return { added: 0, started, ended: started + dice() * 30 };
    });
    const bars = barsOf(rows);
    const lanes = lanesOf(bars, "task", 2000);
    expect(lanes.reduce((sum, each) => sum + each.rows.length, 0)).toBe(2000);
    for (const { rows: inLane } of lanes)
      for (let at = 1; at < inLane.length; at++)
        expect(bars.started[inLane[at]!]!).toBeGreaterThanOrEqual(bars.ended[inLane[at - 1]!]!);
  });

  it("gives each task run a lane, pushed in below what holds it", () => {
    const bars = barsOf([
      { added: 0, kind: "flow", started: 0, ended: 9 },
      { added: 0, parent: 0, started: 1, ended: 2 },
    ]);
    expect(lanesOf(bars, "each", 9).map((each) => each.depth)).toEqual([0, 1]);
  });

  it("finds the first bar that is seen", () => {
    const bars = barsOf([0, 10, 20, 30].map((started) => ({ added: 0, started, ended: started + 5 })));
    const rows = Int32Array.of(0, 1, 2, 3);
    expect(firstIn(bars, rows, 12, 99)).toBe(1);
    expect(firstIn(bars, rows, 16, 99)).toBe(2);
    expect(firstIn(bars, rows, 99, 99)).toBe(4);
  });
});

describe("critical path", () => {
  it("is the chain of those that ended last before the next was due", () => {
    const bars = barsOf([
      { added: 0, started: 0, ended: 10, name: "short" },
      { added: 0, started: 0, ended: 30, name: "long" },
      { added: 30, started: 32, ended: 50, name: "after" },
      { added: 10, started: 11, ended: 20, name: "aside" },
    ]);
    expect(criticalPath(bars).map((row) => bars.nameOf(row))).toEqual(["after", "long"]);
  });

  it("ends with times that agree with each other in no way", () => {
    const bars = barsOf([
      { added: 50, started: 5, ended: 10 },
      { added: 50, started: 5, ended: 10 },
    ]);
    expect(criticalPath(bars).length).toBeLessThanOrEqual(2);
  });
});

describe("window", () => {
  it("zooms around the pointer and stays within the run", () => {
    const near = zoomed({ from: 0, to: 100 }, 0.5, 25, 100);
    expect(near).toEqual({ from: 12.5, to: 62.5 });
    expect(zoomed(near, 100, 25, 100)).toEqual({ from: 0, to: 100 });
    expect(fitted({ from: 90, to: 140 }, 100)).toEqual({ from: 50, to: 100 });
  });

  it("marks round moments", () => {
    expect(ticks({ from: 0, to: 1000 }, 550)).toEqual([0, 200, 400, 600, 800, 1000]);
  });
});
