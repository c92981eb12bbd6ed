import { expect, test } from "vitest";
import type { GraphView, NodeView } from "@/api/client";
import { fileChanges, graphChanges } from "./graphChange";

const node = (key: string, rest: Partial<NodeView> = {}): NodeView => ({
  key,
  name: key,
  kind: "python",
  upstream: [],
  rule: "all_success",
  ...rest,
});
const graph = (nodes: NodeView[], rest: Partial<GraphView> = {}): GraphView => ({
  workflow: "w",
  dialect: "native",
  root: node("w", { group: "main" }),
  groups: { main: nodes },
  params: [],
  ...rest,
});

test("tasks that came, went or were changed are told, with what is otherwise", () => {
  const found = graphChanges(
    graph([node("a"), node("b")]),
    graph([node("b", { retries: 3, upstream: ["c"] }), node("c")]),
  );
  expect(found).toEqual([
    { kind: "removed", what: "task a", details: [] },
    {
      kind: "changed",
      what: "task b",
      details: [
        { name: "upstream", before: "–", after: "c" },
        { name: "retries", before: "–", after: "3" },
      ],
    },
    { kind: "added", what: "task c", details: [] },
  ]);
});

test("the same graph has no changes", () => {
  expect(graphChanges(graph([node("a")]), graph([node("a")]))).toEqual([]);
});

test("parameters are compared too", () => {
  const params = [{ name: "day", required: true }];
  expect(graphChanges(graph([]), graph([], { params }))).toEqual([
    { kind: "added", what: "parameter day", details: [] },
  ]);
});

test("files that are the same in both are left out", () => {
  const source = (files: Record<string, string>) => ({
    workflow: "w",
    version: 1,
    digest: "",
    left_out: 0,
    files: Object.entries(files).map(([path, text]) => ({ path, text, lines: 1, entry: false, line: null })),
  });
  expect(fileChanges(source({ a: "1", b: "1" }), source({ b: "1", c: "2" }))).toEqual([
    { path: "c", before: "", after: "2" },
    { path: "a", before: "1", after: "" },
  ]);
});
