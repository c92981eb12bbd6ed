import { expect, it } from "vitest";
import type { GraphView, NodeView } from "@/api/client";
import { structureChanges } from "./structure";

const node = (key: string, more: Partial<NodeView> = {}): NodeView => ({
  key,
  name: key,
  kind: "python",
  upstream: [],
  rule: "all_success",
  ...more,
});
const graph = (...nodes: NodeView[]): GraphView => ({
  workflow: "w",
  dialect: "native",
  root: node("main"),
  groups: { main: nodes },
  params: [],
});

it("structures are compared node by node", () =>
  expect(
    structureChanges(
      graph(node("a"), node("b", { upstream: ["a"] }), node("c", { upstream: ["a", "b"] })),
      graph(node("b", { retries: 3 }), node("c", { upstream: ["b", "a"] }), node("d")),
    ),
  ).toEqual([
    { group: "main", key: "a", change: "removed", what: [] },
    { group: "main", key: "b", change: "changed", what: ["upstream", "retries"] },
    { group: "main", key: "d", change: "added", what: [] },
  ]));
