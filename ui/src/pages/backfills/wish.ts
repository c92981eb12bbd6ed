/** What somebody has put into the form for a new backfill, and the request that it becomes. */

import type { Schemas } from "@/api/client";
import { type Errors, errorsOf, type JsonSchema } from "@/model/jsonSchema";

export interface Wish {
  /** `workflow#schedule`. */
  schedule: string | null;
  first: string | undefined;
  last: string | undefined;
  only: "missing" | "failed" | "all";
  reverse: boolean;
  maxActive: string;
  params: Record<string, unknown>;
}

export const NO_WISH: Wish = {
  schedule: null,
  first: undefined,
  last: undefined,
  only: "missing",
  reverse: false,
  maxActive: "4",
  params: {},
};

/** What is wrong, by field; parameters are below `params.`. */
export function wrongOf(wish: Wish, schema: JsonSchema | undefined): Errors {
  const found: Record<string, string> = {};
  if (!wish.schedule) found.schedule = "Choose what to run";
  if (!wish.first) found.first = "This is needed";
  if (!wish.last) found.last = "This is needed";
  else if (wish.first && wish.first > wish.last) found.last = "This is before the first";
  const most = Number(wish.maxActive);
  if (!Number.isInteger(most) || most < 1 || most > 1000) found.maxActive = "This must be from 1 to 1,000";
  for (const [path, text] of Object.entries(schema ? errorsOf(schema, wish.params) : {}))
    found[`params.${path}`] = text;
  return found;
}

export function bodyOf(wish: Wish): Schemas["BackfillBody"] {
  const name = wish.schedule ?? "";
  const cut = name.lastIndexOf("#");
  return {
    workflow: name.slice(0, cut),
    schedule: name.slice(cut + 1),
    first: wish.first ?? "",
    last: wish.last ?? "",
    only: wish.only,
    reverse: wish.reverse,
    max_active: Number(wish.maxActive),
    params: wish.params,
  };
}
