/** The order and the names of what waits for people. */

import type { Schemas } from "@/api/client";

export type ApprovalView = Schemas["ApprovalView"];

export const idOf = (each: ApprovalView): string => `${each.run}.${each.idx}`;

export const oldestFirst = (items: readonly ApprovalView[]): ApprovalView[] =>
  [...items].sort(
    (one, other) => one.since.localeCompare(other.since) || idOf(one).localeCompare(idOf(other)),
  );

export const mayAnswer = (each: ApprovalView, name: string): boolean =>
  each.assignees.length === 0 || each.assignees.includes(name);

/** The first line of a Markdown text, without its marks. */
export function summaryOf(prompt: string): string {
  const line = prompt.split("\n").find((each) => each.trim() !== "") ?? "A question without words";
  return line.replace(/[*_`#>]+/g, "").trim();
}
