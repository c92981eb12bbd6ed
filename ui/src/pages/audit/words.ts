/** What a request did, in words. */

/** `put_pool` of `/api/v1/pools/db` is "put pool". */
export const operationText = (operation: string): string => operation.replaceAll("_", " ");

/** What the address says after the API's own part: `pools/db`. */
export function subjectText(path: string): string {
  const rest = path.replace(/^.*?\/api\/v1\//, "");
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}

export type Outcome = "done" | "refused" | "failed";

export const outcomeOf = (status: number): Outcome =>
  status >= 500 ? "failed" : status >= 400 ? "refused" : "done";

/** The mark of a run's state that says the same. */
export const MARKS: Record<Outcome, string> = { done: "succeeded", refused: "cancelled", failed: "failed" };
