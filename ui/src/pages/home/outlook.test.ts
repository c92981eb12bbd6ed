import { describe, expect, it } from "vitest";
import { lanesOf, outlook, progressOf, scheduleName } from "./outlook";

describe("progress", () => {
  it("counts what has ended, failed and waits", () =>
    expect(progressOf({ succeeded: 3, cached: 1, upstream_failed: 2, running: 4, waiting: 1 })).toEqual({
      done: 4,
      failed: 2,
      waiting: 1,
      total: 11,
    }));
});

describe("the outlook of a run", () => {
  const usual = { p50_s: 60, p95_s: 90 };
  const going = { done: 1, failed: 0, waiting: 0, total: 4 };
  it("goes by earlier runs", () => {
    expect(outlook(20_000, usual, going)).toEqual({ text: "about 40 s left", late: false });
    expect(outlook(70_000, usual, going)).toEqual({ text: "should end soon", late: false });
    expect(outlook(100_000, usual, going)).toEqual({ text: "usually 1 m 30 s at most", late: true });
  });
  it("says nothing of a workflow that never succeeded", () =>
    expect(outlook(20_000, { p50_s: null, p95_s: null }, going).text).toBe(""));
  it("gives no time for a run that waits", () =>
    expect(outlook(200_000, usual, { done: 1, failed: 0, waiting: 2, total: 3 }).text).toBe("waits"));
  it("knows what has not begun", () =>
    expect(outlook(Number.NaN, usual, undefined).text).toBe("has not begun"));
});

describe("ticks", () => {
  it("are gathered by schedule", () =>
    expect(
      lanesOf([
        { schedule: "b#x", workflow: "b", at: "1970-01-01T00:00:01Z" },
        { schedule: "a#default", workflow: "a", at: "1970-01-01T00:00:02Z" },
        { schedule: "b#x", workflow: "b", at: "1970-01-01T00:00:03Z" },
      ]),
    ).toEqual([
      { schedule: "b#x", workflow: "b", ticks: [1000, 3000] },
      { schedule: "a#default", workflow: "a", ticks: [2000] },
    ]));
  it("have short names", () =>
    expect([scheduleName("a#default"), scheduleName("a#x")]).toEqual(["a", "a#x"]));
});
