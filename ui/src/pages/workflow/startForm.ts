/** What a form for a run sends, and where errors that come back belong. */

import { ApiError } from "@/api/client";
import type { Errors } from "@/model/jsonSchema";

/** What was left out is not sent, so that it has the default of the code. */
export function sentOf(value: unknown): Record<string, unknown> {
  const all = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(all.filter(([, each]) => each !== undefined && each !== ""));
}

export const tagsOf = (text: string): string[] => [
  ...new Set(
    text
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean),
  ),
];

/** The refusal as an error of the parameter that it names; none if it is about something else. */
export function fieldErrors(error: unknown, params: readonly { name: string }[]): Errors {
  if (!(error instanceof ApiError)) return {};
  const { fields, detail, title } = error.problem;
  const named = (fields as Record<string, unknown> | undefined)?.parameter;
  return typeof named === "string" && params.some((each) => each.name === named)
    ? { [named]: detail ?? title }
    : {};
}
