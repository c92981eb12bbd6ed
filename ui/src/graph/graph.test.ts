import { describe, expect, it } from "vitest";
import type { GraphView, NodeView } from "@/api/client";
import { layersOf, layout } from "./layout";
import { type Box, everything, firstOpen, structureOf } from "./structure";
import { keyOf } from "./useLayout";

const node = (key: string, upstream: string[] = [], more: Partial<NodeView> = {}): NodeView => ({
  key,
  name: key,
  kind: "python",
  upstream,
  rule: "all_success",
  ...more,
});

const graphOf = (groups: Record<string, NodeView[]>): GraphView => ({
  workflow: "w",
  dialect: "native",
  root: node("w", [], { kind: "group", group: "main" }),
  groups,
  params: [],
});

const SHOP = graphOf({
  main: [
    node("extract.a", [], { path: ["extract"] }),
    node("extract.b", [], { path: ["extract"] }),
    node("clean", ["extract.a", "extract.b"], { kind: "group", group: "each", mapped: true }),
    node("load", ["clean", "extract.b"]),
  ],
  each: [node("read"), node("fix", ["read"])],
});

const random = (): (() => number) => {
  let seed = 7;
  return () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
};

function large(count: number, reach = 40): GraphView {
  const dice = random();
  return graphOf({
    main: Array.from({ length: count }, (_, at) =>
      node(
        `n${at}`,
        [...new Set([1, 2].map(() => at - 1 - Math.floor(dice() * reach)).filter((each) => each >= 0))].map(
          (each) => `n${each}`,
        ),
      ),
    ),
  });
}

describe("structure", () => {
  it("folds groups into one box, with the edges of what is in them", () => {
    const { root, edges, seen } = structureOf(SHOP, new Set());
    expect(root.inside?.map((each) => each.id)).toEqual(["main:extract", "main/clean", "main/load"]);
    expect(edges).toEqual([
      ["main:extract", "main/clean"],
      ["main/clean", "main/load"],
      ["main:extract", "main/load"],
    ]);
    expect(seen.get("main/extract.b")).toBe("main:extract");
  });

  it("opens them in place", () => {
    const { root, edges } = structureOf(SHOP, new Set(everything(SHOP)));
    expect(root.inside?.[0]?.inside?.map((each) => each.id)).toEqual(["main/extract.a", "main/extract.b"]);
    expect(root.inside?.[1]?.inside?.map((each) => each.id)).toEqual(["each/read", "each/fix"]);
    expect(edges).toContainEqual(["each/read", "each/fix"]);
    expect(edges).toContainEqual(["main/extract.b", "main/load"]);
    expect(root.edges).toEqual([
      [0, 1],
      [1, 2],
      [0, 2],
    ]);
  });

  it("opens small graphs by itself, and large ones not", () => {
    expect(firstOpen(SHOP).size).toBe(2);
    expect(firstOpen(large(100)).size).toBe(0);
  });

  it("does not follow a group into itself for ever", () => {
    const again = graphOf({ main: [node("x", [], { kind: "group", group: "main" })] });
    const { root } = structureOf(again, new Set(everything(again)));
    expect(root.inside?.[0]?.inside?.[0]?.inside ?? null).toBeNull();
  });
});

describe("layout", () => {
  const overlaps = (root: Box): number => {
    const { boxes } = layout(root);
    const leaves = boxes.filter((each) => !each.open);
    let found = 0;
    for (let a = 0; a < leaves.length; a++)
      for (let b = a + 1; b < leaves.length; b++) {
        const [one, other] = [leaves[a]!, leaves[b]!];
        if (
          one.x < other.x + other.width &&
          other.x < one.x + one.width &&
          one.y < other.y + other.height &&
          other.y < one.y + one.height
        )
          found += 1;
      }
    return found;
  };

  it("puts what depends on others to their right", () => {
    const { root, edges } = structureOf(SHOP, new Set());
    const at = new Map(layout(root).boxes.map((each) => [each.id, each]));
    for (const [from, to] of edges) expect(at.get(from)!.x + at.get(from)!.width).toBeLessThan(at.get(to)!.x);
  });

  it("never lets boxes overlap, open or not", () => {
    expect(overlaps(structureOf(SHOP, new Set(everything(SHOP))).root)).toBe(0);
    expect(overlaps(structureOf(large(300), new Set()).root)).toBe(0);
  });

  it("keeps what is in a group within it", () => {
    const { boxes } = layout(structureOf(SHOP, new Set(everything(SHOP))).root);
    const at = new Map(boxes.map((each) => [each.id, each]));
    const outer = at.get("main:extract")!;
    for (const id of ["main/extract.a", "main/extract.b"]) {
      const inner = at.get(id)!;
      expect(inner.x).toBeGreaterThan(outer.x);
      expect(inner.x + inner.width).toBeLessThan(outer.x + outer.width);
      expect(inner.y + inner.height).toBeLessThan(outer.y + outer.height);
    }
  });

  it("is the same for the same graph, and another for another", () => {
    const once = structureOf(large(200), new Set()).root;
    const again = structureOf(large(200), new Set()).root;
    expect(layout(once)).toEqual(layout(again));
    expect(keyOf(once)).toBe(keyOf(again));
    expect(keyOf(once)).not.toBe(keyOf(structureOf(large(201), new Set()).root));
  });

  it("crosses edges less than the order in which nodes are written", () => {
    const dice = random();
    const left = Array.from({ length: 30 }, (_, at) => node(`l${at}`));
    const right = Array.from({ length: 30 }, (_, at) =>
      node(`r${at}`, [`l${Math.floor(dice() * 30)}`, `l${(29 - at) % 30}`]),
    );
    const { root, edges } = structureOf(graphOf({ main: [...left, ...right] }), new Set());
    const at = new Map(layout(root).boxes.map((each) => [each.id, each.y]));
    const written = new Map([...left, ...right].map((each, place) => [`main/${each.key}`, place]));
    const crossings = (y: Map<string, number>): number => {
      let found = 0;
      for (const [a, b] of edges)
        for (const [c, d] of edges) if ((y.get(a)! - y.get(c)!) * (y.get(b)! - y.get(d)!) < 0) found += 1;
      return found;
    };
    expect(crossings(at)).toBeLessThan(crossings(written) / 2);
  });

  it("survives edges that go round", () => {
    expect([
      ...layersOf(3, [
        [0, 1],
        [1, 2],
        [2, 1],
      ]),
    ]).toHaveLength(3);
  });

  it("lays ten thousand boxes out in a moment", () => {
    const { root } = structureOf(large(10_000, 120), new Set());
    const begun = performance.now();
    const { boxes } = layout(root);
    console.info(`10,000 boxes: ${Math.round(performance.now() - begun)} ms`);
    expect(boxes).toHaveLength(10_000);
  });
});
