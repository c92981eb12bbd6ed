/** The states of runs and task runs: their words, and which of them are over. */

export const STATES = [
  "scheduled",
  "pending",
  "ready",
  "queued",
  "running",
  "waiting",
  "retrying",
  "paused",
  "lost",
  "failed",
  "upstream_failed",
  "cancelled",
  "skipped",
  "cached",
  "succeeded",
] as const;

export type State = (typeof STATES)[number];

const LABELS: Partial<Record<State, string>> = { upstream_failed: "upstream failed" };

const OVER: ReadonlySet<string> = new Set([
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "upstream_failed",
  "cached",
]);

/** The states that share another one's colour. */
const TONES: Partial<Record<State, State>> = { scheduled: "pending", ready: "queued" };

export const isOver = (state: string): boolean => OVER.has(state);

export const isState = (text: string): text is State => (STATES as readonly string[]).includes(text);

export const labelOf = (state: string): string =>
  (isState(state) ? LABELS[state] : undefined) ?? state.replaceAll("_", " ");

/** The name of a state's colour among the tokens. */
export const toneOf = (state: string): State => (isState(state) ? (TONES[state] ?? state) : "pending");

export const colourOf = (state: string): string => `var(--state-${toneOf(state)})`;

export const inkOf = (state: string): string => `var(--state-${toneOf(state)}-ink)`;

/** The colours as they are now, for canvases, which know no variables. */
export function palette(): Record<State, string> {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    STATES.map((state) => [state, style.getPropertyValue(`--state-${toneOf(state)}`).trim()]),
  ) as Record<State, string>;
}
