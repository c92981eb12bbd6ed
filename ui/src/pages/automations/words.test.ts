import { describe, expect, it } from "vitest";
import { restText, thensText, thenText, wayText, whenText } from "./words";

describe("a condition in words", () => {
  it.each([
    [{ type: "run", states: ["failed"] }, "a run becomes failed"],
    [
      { type: "run", states: ["failed", "cancelled"], workflow: "etl*", tags: ["night"] },
      "a run of etl* with the tag night becomes failed or cancelled",
    ],
    [
      { type: "task", states: ["running"], task: "load", for_s: 3600 },
      "task load has been running for 1 h 00 m",
    ],
    [
      { type: "late", not_ended_s: 60, deadline: true },
      "a run has not ended after 1 m 00 s or is past its deadline",
    ],
    [{ type: "missing", workflow: "etl", for_s: 86400 }, "no run of etl has succeeded for 1 d 0 h"],
    [{ type: "measured", what: "duration", above: 600 }, "a run takes more than 10 m 00 s"],
    [
      {
        type: "all",
        terms: [
          { type: "run", states: ["failed"] },
          { type: "measured", what: "duration", above: 600 },
        ],
      },
      "a run becomes failed and a run takes more than 10 m 00 s, in the same run",
    ],
    [{ type: "new" }, "?"],
    [null, "?"],
  ])("%j", (condition, words) => expect(whenText(condition)).toBe(words));
});

it("actions in words", () => {
  expect(thenText({ type: "pause", what: "run" })).toBe("pause that run");
  expect(thenText({ type: "pause", what: "workflow" })).toBe("pause its workflow");
  expect(
    thensText([
      { type: "notify", channel: "ops" },
      { type: "start_run", workflow: "repair" },
    ]),
  ).toBe("tell ops, then run repair");
  expect(thensText(undefined)).toBe("?");
});

it("rests and ways in words", () => {
  expect(restText({ cooldown_s: 300 })).toBe("at most once in 5 m 00 s for each workflow");
  expect(restText({})).toBe("");
  expect(wayText({ way: { type: "log" } })).toBe("the service's log, as warning");
});
