import { expect, it } from "vitest";
import { assetsOf, conditionText, hasSeen, leavesOf } from "./conditions";

const BOTH = {
  type: "all",
  conditions: [
    { type: "asset", asset: "orders" },
    {
      type: "any",
      conditions: [
        { type: "asset", asset: "prices" },
        { type: "event", name: "day.*" },
      ],
    },
  ],
};

it("is told in words", () => {
  expect(conditionText(BOTH)).toBe("orders is updated and (prices is updated or the event day.* is sent)");
  expect(conditionText({ type: "run", workflow: "etl", states: ["failed", "cancelled"] })).toBe(
    "a run of etl failed or is cancelled",
  );
  expect(conditionText({ type: "file", pattern: "/in/*.csv" })).toBe("a file /in/*.csv arrives");
});

it("knows which parts have been seen", () => {
  const seen = ["asset:orders", "event:day.end"];
  expect(leavesOf(BOTH).map((each) => hasSeen(each, seen))).toEqual([true, false, true]);
  expect(hasSeen({ type: "event", name: "a.c" }, ["event:abc"])).toBe(false);
});

it("knows the assets", () => expect(assetsOf(BOTH)).toEqual(["orders", "prices"]));
