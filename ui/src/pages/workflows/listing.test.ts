import { expect, test } from "vitest";
import { listed, type Overview, sorted, sortingOf, sortText, valuesIn } from "./listing";

const one = (name: string, rest: Partial<Overview> = {}): Overview => ({
  name,
  deployed: true,
  project: "shop",
  version: 1,
  kind: "flow",
  dialect: "native",
  tags: [],
  doc: "",
  paused: false,
  gone: false,
  deployed_at: null,
  recent: [],
  p50_s: null,
  p95_s: null,
  open: 0,
  next_at: null,
  schedules: [],
  ...rest,
});

const names = (rows: readonly Overview[]): string[] => rows.map((each) => each.name);

test("every word has to be somewhere, and gone ones are shown only when asked for", () => {
  const all = [one("orders", { tags: ["daily"] }), one("order_items"), one("old_orders", { gone: true })];
  expect(names(listed(all, { find: "order daily" }))).toEqual(["orders"]);
  expect(names(listed(all, {}))).toEqual(["orders", "order_items"]);
  expect(names(listed(all, { show: "gone" }))).toEqual(["old_orders"]);
});

test("a workflow fails if the newest run that is over failed", () => {
  const run = (id: string, state: string, ended: boolean): Overview["recent"][number] => ({
    id,
    state,
    created_at: "2026-01-01T00:00:00Z",
    started_at: null,
    ended_at: ended ? "2026-01-01T00:01:00Z" : null,
  });
  const all = [
    one("a", { recent: [run("1", "failed", true), run("2", "running", false)] }),
    one("b", { recent: [run("1", "failed", true), run("2", "succeeded", true)] }),
  ];
  expect(names(listed(all, { show: "failing" }))).toEqual(["a"]);
});

test("what has no value stands last whichever way the rows are sorted", () => {
  const all = [one("a"), one("b", { p95_s: 2 }), one("c", { p95_s: 1 })];
  expect(names(sorted(all, { key: "p95", down: false }))).toEqual(["c", "b", "a"]);
  expect(names(sorted(all, { key: "p95", down: true }))).toEqual(["b", "c", "a"]);
});

test("a sorting goes through the address and back", () => {
  expect(sortingOf("-p95")).toEqual({ key: "p95", down: true });
  expect(sortText(sortingOf("-p95"))).toBe("-p95");
  expect(sortText(sortingOf("nonsense"))).toBeUndefined();
});

test("values to choose from are there once and in order", () => {
  const all = [one("a", { tags: ["x", "b"] }), one("b", { tags: ["b"] })];
  expect(valuesIn(all, (each) => each.tags)).toEqual(["b", "x"]);
});
