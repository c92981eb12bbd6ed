/** Automations as sentences: when this happens, do that. */

import { isObject } from "@/model/json";
import { durationText } from "@/model/time";

type Fields = Record<string, unknown>;

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const seconds = (value: unknown): string => (typeof value === "number" ? durationText(value * 1000) : "");
const either = (words: string[]): string => words.map((each) => each.replaceAll("_", " ")).join(" or ");

/** `of etl* with the tag nightly`; nothing when it is about every run. */
function about(fields: Fields): string {
  const workflow = text(fields.workflow);
  const tags = texts(fields.tags);
  const of = workflow && workflow !== "*" ? ` of ${workflow}` : "";
  return of + (tags.length > 0 ? ` with the tag${tags.length > 1 ? "s" : ""} ${tags.join(", ")}` : "");
}

function came(fields: Fields, noun: string): string {
  const held = typeof fields.for_s === "number" && fields.for_s > 0 ? ` for ${seconds(fields.for_s)}` : "";
  const verb = held ? "has been" : "becomes";
  return `${noun}${about(fields)} ${verb} ${either(texts(fields.states)) || "?"}${held}`;
}

function bounds(fields: Fields, unit: string): string {
  const shown = (value: unknown): string =>
    unit === "s" ? seconds(value) : typeof value === "number" ? value.toLocaleString("en-US") : "";
  const parts = [
    fields.above !== undefined && fields.above !== null ? `more than ${shown(fields.above)}` : "",
    fields.below !== undefined && fields.below !== null ? `less than ${shown(fields.below)}` : "",
  ];
  return parts.filter(Boolean).join(" or ");
}

const MEASURES: Record<string, [string, string]> = {
  duration: ["takes", "s"],
  wait: ["waits", "s"],
  cpu: ["uses CPU for", "s"],
  memory: ["uses memory, in bytes:", ""],
  published: ["publishes", ""],
};

/** The condition in words, to come after "when". */
export function whenText(condition: unknown): string {
  if (!isObject(condition)) return "?";
  const task = text(condition.task);
  const named = task && task !== "*" ? `task ${task}` : "a task";
  switch (condition.type) {
    case "run":
      return came(condition, "a run");
    case "task":
      return came(condition, named);
    case "happened": {
      const name = text(condition.name);
      return `${either(texts(condition.kinds)) || "something"}${name && name !== "*" ? ` "${name}"` : ""} happens in a run${about(condition)}`;
    }
    case "measured": {
      const [verb, unit] = MEASURES[text(condition.what)] ?? ["measures", ""];
      const who = task ? named : "a run";
      return `${who}${about(condition)} ${verb} ${bounds(condition, unit)}`;
    }
    case "late": {
      const ways = [
        condition.not_started_s ? `has not started after ${seconds(condition.not_started_s)}` : "",
        condition.not_ended_s ? `has not ended after ${seconds(condition.not_ended_s)}` : "",
        condition.deadline ? "is past its deadline" : "",
      ];
      return `a run${about(condition)} ${ways.filter(Boolean).join(" or ")}`;
    }
    case "missing": {
      const states = texts(condition.states);
      return `no run of ${text(condition.workflow) || "?"} has ${states.length > 0 ? `become ${either(states)}` : "succeeded"} for ${seconds(condition.for_s)}`;
    }
    case "any":
      return joined(condition.terms, " or ");
    case "all": {
      const per = text(condition.per) || "run";
      const where = per === "all" ? "" : `, in the same ${per}`;
      const within = condition.within_s ? ` within ${seconds(condition.within_s)}` : "";
      return `${joined(condition.terms, " and ")}${where}${within}`;
    }
    default:
      return "?";
  }
}

function joined(terms: unknown, by: string): string {
  if (!Array.isArray(terms) || terms.length === 0) return "?";
  return terms
    .map((each: unknown) => {
      const words = whenText(each);
      return isObject(each) && (each.type === "any" || each.type === "all") ? `(${words})` : words;
    })
    .join(by);
}

/** What is done, in words. */
export function thenText(action: unknown): string {
  if (!isObject(action)) return "?";
  const what = text(action.what);
  const target = text(action.name) || (what === "run" ? "that run" : `its ${what || "workflow"}`);
  switch (action.type) {
    case "notify":
      return `tell ${text(action.channel) || "?"}`;
    case "call":
      return `${text(action.method) || "POST"} ${text(action.url) || "?"}`;
    case "start_run":
      return `run ${text(action.workflow) || "?"}`;
    case "cancel_run":
      return action.force ? "cancel that run at once" : "cancel that run";
    case "pause":
      return `pause ${target}`;
    case "resume":
      return `resume ${target}`;
    default:
      return "?";
  }
}

export function thensText(actions: unknown): string {
  const list: unknown[] = Array.isArray(actions) ? actions : [];
  return list.length > 0 ? list.map(thenText).join(", then ") : "?";
}

/** How long it rests after it fired; nothing if it does not. */
export function restText(definition: Fields): string {
  if (typeof definition.cooldown_s !== "number" || definition.cooldown_s <= 0) return "";
  const per = text(definition.cooldown_per) || "workflow";
  return `at most once in ${seconds(definition.cooldown_s)}${per === "all" ? "" : ` for each ${per}`}`;
}

/** How a channel reaches people. */
export function wayText(definition: Fields): string {
  const way = definition.way;
  if (!isObject(way)) return "?";
  if (way.type === "smtp") return `mail to ${texts(way.to).join(", ")} by ${text(way.host)}`;
  if (way.type === "webhook") return `${text(way.method) || "POST"} ${text(way.url)}`;
  if (way.type === "apprise") return `Apprise: ${texts(way.urls).join(", ")}`;
  return `the service's log, as ${text(way.level) || "warning"}`;
}
