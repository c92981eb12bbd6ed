import { expect, it } from "vitest";
import { type ApprovalView, idOf, mayAnswer, oldestFirst, summaryOf } from "./queue";

const approval = (idx: number, since: string, assignees: string[] = []): ApprovalView => ({
  run: "run_1",
  workflow: "release",
  idx,
  key: "ask",
  prompt: "",
  form: {},
  assignees,
  default: "reject",
  since,
});

it("has the oldest first", () => {
  const items = [approval(1, "2026-01-02T00:00:00Z"), approval(2, "2026-01-01T00:00:00Z")];
  expect(oldestFirst(items).map(idOf)).toEqual(["run_1.2", "run_1.1"]);
});

it("is for anyone where nobody is named", () => {
  expect(mayAnswer(approval(1, ""), "ada")).toBe(true);
  expect(mayAnswer(approval(1, "", ["bo"]), "ada")).toBe(false);
});

it("is told by the first line of its question", () =>
  expect(summaryOf("\n## Publish **2.1**?\n\nmore")).toBe("Publish 2.1?"));
