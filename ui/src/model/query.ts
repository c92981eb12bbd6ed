/** The query language of runs and task runs, as far as a page needs it: what can be written where.
 *
 * The service reads and judges queries (src/weft/store/query.py); here only completion and the state chips do.
 */

import type { State } from "./states";

export type FieldKind = "state" | "text" | "number" | "time" | "since" | "tags" | "error";

export interface Field {
  name: string;
  kind: FieldKind;
  what: string;
}

export interface Language {
  noun: string;
  fields: readonly Field[];
  states: readonly State[];
}

const field = (name: string, kind: FieldKind, what: string): Field => ({ name, kind, what });

export const RUNS: Language = {
  noun: "runs",
  fields: [
    field("state", "state", "where it stands"),
    field("workflow", "text", "name of the workflow; * is any text"),
    field("tag", "tags", "a tag that it was started with"),
    field("since", "since", "created at most so long ago: 1d"),
    field("error", "error", "text in its error"),
    field("created", "time", "when it was accepted"),
    field("started", "time", "when it began"),
    field("ended", "time", "when it ended"),
    field("version", "number", "number of its graph"),
    field("id", "text", "its id"),
    field("key", "text", "its idempotency key"),
    field("parent", "text", "id of the run that started it"),
    field("project", "text", "the folder of its code"),
    field("dialect", "text", "how its workflow is written"),
  ],
  states: ["scheduled", "queued", "running", "paused", "succeeded", "failed", "cancelled"],
};

export const TASKS: Language = {
  noun: "task runs",
  fields: [
    field("state", "state", "where it stands"),
    field("name", "text", "the task's name; * is any text"),
    field("key", "text", "its key in the run"),
    field("kind", "text", "root, node, item, call or hook"),
    field("error", "error", "text in its error"),
    field("since", "since", "changed at most so long ago: 1h"),
    field("attempt", "number", "number of its latest attempt"),
    field("failures", "number", "attempts that failed"),
    field("worker", "text", "where it ran"),
    field("cause", "text", "why it is in its state"),
    field("index", "number", "which item of a map it is"),
    field("added", "time", "when it was first recorded"),
    field("started", "time", "when its latest attempt began"),
    field("ended", "time", "when it ended"),
    field("changed", "time", "when its state changed"),
    field("generation", "number", "how often it was cleared"),
  ],
  states: [
    "ready",
    "queued",
    "running",
    "waiting",
    "retrying",
    "paused",
    "lost",
    "succeeded",
    "cached",
    "failed",
    "upstream_failed",
    "cancelled",
    "skipped",
  ],
};

export interface Suggestion {
  /** What takes the place of the text from `from` to `to`. */
  insert: string;
  label: string;
  detail: string;
}

export interface Completion {
  from: number;
  to: number;
  items: Suggestion[];
}

const MOST = 12;
const SPANS: readonly (readonly [string, string])[] = [
  ["15m", "15 minutes"],
  ["1h", "an hour"],
  ["6h", "6 hours"],
  ["1d", "a day"],
  ["1w", "a week"],
  ["4w", "4 weeks"],
];

/** What can be written at `caret`. `known` tells values of text fields by name: workflows, tags. */
export function complete(
  text: string,
  caret: number,
  language: Language,
  known: Readonly<Record<string, readonly string[]>> = {},
): Completion {
  const before = text.slice(0, caret);
  const start = termStart(before);
  const term = before.slice(start);
  const head = /^-?([A-Za-z_]+)(>=|<=|[:=<>])/.exec(term);
  const end = caret + (/^[^\s,"]*/.exec(text.slice(caret))?.[0].length ?? 0);
  if (!head) {
    const minus = term.startsWith("-") ? 1 : 0;
    const typed = term.slice(minus).toLowerCase();
    const items = language.fields
      .filter((each) => each.name.startsWith(typed))
      .map((each) => ({
        insert: `${each.name}${each.kind === "time" ? ">" : ":"}`,
        label: each.name,
        detail: each.what,
      }));
    return { from: start + minus, to: end, items: items.slice(0, MOST) };
  }
  const found = language.fields.find((each) => each.name === head[1]!.toLowerCase());
  const values = term.slice(head[0].length);
  const from = start + head[0].length + (values.lastIndexOf(",") + 1);
  const typed = before.slice(from).replace(/^"/, "").toLowerCase();
  return { from, to: end, items: found ? valuesOf(found, typed, language, known) : [] };
}

function valuesOf(
  field: Field,
  typed: string,
  language: Language,
  known: Readonly<Record<string, readonly string[]>>,
): Suggestion[] {
  if (field.kind === "since" || field.kind === "time") {
    const sign = field.kind === "time" ? "-" : "";
    return SPANS.filter(([span]) => `${sign}${span}`.startsWith(typed)).map(([span, words]) => ({
      insert: `${sign}${span} `,
      label: `${sign}${span}`,
      detail: field.kind === "time" ? `${words} ago` : `within ${words}`,
    }));
  }
  const words = field.kind === "state" ? language.states : (known[field.name] ?? []);
  const starting = words.filter((each) => each.toLowerCase().startsWith(typed));
  const within = words.filter((each) => !starting.includes(each) && each.toLowerCase().includes(typed));
  return [...starting, ...within]
    .filter((each) => each.toLowerCase() !== typed)
    .slice(0, MOST)
    .map((each) => ({ insert: `${quoted(each)} `, label: each, detail: field.name }));
}

/** A value as a query takes it: quoted if it holds what means something. */
export const quoted = (value: string): string =>
  value === "" || /[\s,"*\\]/.test(value) ? `"${value.replace(/[\\"]/g, "\\$&")}"` : value;

/** Where the term begins that the text ends in. Blanks within quotes do not end a term. */
function termStart(text: string): number {
  let start = 0;
  let quote = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quote && char === "\\") at += 1;
    else if (char === '"') quote = !quote;
    else if (!quote && /\s/.test(char!)) start = at + 1;
  }
  return start;
}

const STATES_TERM = /(^|\s)state[:=]([a-z_,]+)(?=\s|$)/i;

/** The states that a query asks for by name; none is all. */
export const statesOf = (where: string): string[] => STATES_TERM.exec(where)?.[2]?.split(",") ?? [];

/** The same query with these states, and no such condition if there are none. */
export function withStates(where: string, states: readonly string[]): string {
  const rest = where.replace(STATES_TERM, " ").replace(/\s+/g, " ").trim();
  if (states.length === 0) return rest;
  return `state:${states.join(",")}${rest && " "}${rest}`;
}
