/** How the graphs of two versions differ: tasks that came, went or were changed. */

import type { GraphView, NodeView, Schemas } from "@/api/client";

export interface GraphChange {
  kind: "added" | "removed" | "changed";
  what: string;
  /** What is otherwise: a name, how it was, how it is. */
  details: { name: string; before: string; after: string }[];
}

const textOf = (value: unknown): string =>
  value === undefined || value === null || value === ""
    ? "–"
    : typeof value === "string"
      ? value
      : Array.isArray(value) && value.every((each) => typeof each === "string")
        ? value.join(", ") || "–"
        : JSON.stringify(value);

function details(before: object, after: object, left: readonly string[] = []): GraphChange["details"] {
  const old = before as Record<string, unknown>;
  const fresh = after as Record<string, unknown>;
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    .filter((name) => !left.includes(name))
    .map((name) => ({ name, before: textOf(old[name]), after: textOf(fresh[name]) }))
    .filter((each) => each.before !== each.after);
}

function compared<T extends object>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  noun: string,
): GraphChange[] {
  const found: GraphChange[] = [];
  for (const [name, one] of before) {
    const other = after.get(name);
    if (!other) found.push({ kind: "removed", what: `${noun} ${name}`, details: [] });
    else {
      const differs = details(one, other);
      if (differs.length > 0) found.push({ kind: "changed", what: `${noun} ${name}`, details: differs });
    }
  }
  for (const name of after.keys())
    if (!before.has(name)) found.push({ kind: "added", what: `${noun} ${name}`, details: [] });
  return found;
}

const nodesOf = (graph: GraphView): Map<string, NodeView> =>
  new Map(
    Object.entries(graph.groups).flatMap(([group, nodes]) =>
      nodes.map((node) => [group === graph.root.group ? node.key : `${group}.${node.key}`, node] as const),
    ),
  );

const paramsOf = (graph: GraphView): Map<string, Schemas["ParameterView"]> =>
  new Map(graph.params.map((each) => [each.name, each]));

export function graphChanges(before: GraphView, after: GraphView): GraphChange[] {
  const whole = [
    ...details(before.root, after.root),
    ...details({ dialect: before.dialect, tags: before.tags }, { dialect: after.dialect, tags: after.tags }),
  ];
  return [
    ...(whole.length > 0 ? [{ kind: "changed" as const, what: "the workflow itself", details: whole }] : []),
    ...compared(paramsOf(before), paramsOf(after), "parameter"),
    ...compared(nodesOf(before), nodesOf(after), "task"),
  ];
}

export interface FileChange {
  path: string;
  before: string;
  after: string;
}

/** The files that are not the same in both, in the order of the newer ones. */
export function fileChanges(before: Schemas["SourceView"], after: Schemas["SourceView"]): FileChange[] {
  const old = new Map(before.files.map((each) => [each.path, each.text]));
  const fresh = new Map(after.files.map((each) => [each.path, each.text]));
  return [...new Set([...fresh.keys(), ...old.keys()])]
    .map((path) => ({ path, before: old.get(path) ?? "", after: fresh.get(path) ?? "" }))
    .filter((each) => each.before !== each.after);
}
