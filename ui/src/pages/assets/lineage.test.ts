import { describe, expect, it } from "vitest";
import type { HappeningView } from "@/api/happenings";
import {
  assetId,
  consumersOf,
  drawn,
  layersAround,
  layersOfAll,
  lineageOf,
  producersOf,
  workflowsOfRuns,
} from "./lineage";

const happening = (source: string, name: string, run: string): HappeningView =>
  ({
    id: `${source} ${name}`,
    source,
    name,
    run,
    at: "",
    by: "",
    payload: null,
    pending: false,
  }) as HappeningView;

const HAPPENINGS = [happening("asset", "orders", "run_1"), happening("run", "etl", "run_1")];
const TRIGGERS = [{ workflow: "report", when: { type: "asset", asset: "orders" } }];
const LINEAGE = lineageOf(
  [{ name: "orders", run: "run_1" }],
  TRIGGERS,
  HAPPENINGS,
  workflowsOfRuns(HAPPENINGS),
);

describe("lineage", () => {
  it("knows who updates an asset, and who waits for it", () => {
    expect(producersOf(LINEAGE, "orders")).toEqual(["etl"]);
    expect(consumersOf(LINEAGE, "orders")).toEqual(["report"]);
  });

  it("goes from left to right", () => {
    const { boxes, links } = drawn(LINEAGE, layersOfAll(LINEAGE));
    expect(boxes.map((each) => each.name)).toEqual(["etl", "orders", "report"]);
    expect(links).toHaveLength(2);
  });

  it("folds what is farther away, and counts it", () => {
    const layers = layersAround(LINEAGE, assetId("orders"), 0);
    expect(drawn(LINEAGE, layers).boxes).toMatchObject([{ name: "orders", hidden: 2 }]);
    expect([...layersAround(LINEAGE, assetId("orders"), 1).values()].sort()).toEqual([-1, 0, 1]);
  });

  it("ends where workflows feed each other", () => {
    const circle = lineageOf(
      [{ name: "orders", run: "run_1" }],
      [{ workflow: "etl", when: { type: "asset", asset: "orders" } }],
      HAPPENINGS,
      workflowsOfRuns(HAPPENINGS),
    );
    expect(layersOfAll(circle).size).toBe(2);
  });

  it("is laid out at once for thousands", () => {
    const assets = Array.from({ length: 500 }, (_, at) => ({ name: `a${at}`, run: "" }));
    const triggers = assets.map((each, at) => ({
      workflow: `w${at % 100}`,
      when: { type: "asset", asset: each.name },
    }));
    const big = lineageOf(assets, triggers, [], new Map());
    const began = performance.now();
    expect(drawn(big, layersOfAll(big)).boxes).toHaveLength(600);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
