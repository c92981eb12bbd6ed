/** The typed client of the REST API, whose types are generated from its description. */

import createClient, { type Middleware } from "openapi-fetch";
import { addressOf } from "@/app/base";
import type { components, paths } from "./schema";
import { authorization } from "./token";

export type Schemas = components["schemas"];
export type RunView = Schemas["RunView"];
export type RunDetail = Schemas["RunDetail"];
export type TaskView = Schemas["TaskView"];
export type TaskDetail = Schemas["TaskDetail"];
export type ValueView = Schemas["ValueView"];
export type ChangeView = Schemas["ChangeView"];
export type GraphView = Schemas["GraphView"];
export type NodeView = Schemas["NodeView"];
export type Problem = Schemas["Problem"];

/** A request that the service refused, or did not get. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ApiError";
  }

  get status(): number {
    return this.problem.status;
  }
}

const UNREACHABLE: Problem = {
  type: "about:blank",
  title: "Unreachable",
  status: 0,
  detail: "the service does not answer",
  code: "",
  hint: "see that it runs; this page tries again by itself",
};

const authorize: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: addressOf("").replace(/\/$/, "") });
api.use(authorize);

/** The data of an answer.
 *
 * @throws ApiError if the service refused, or could not be reached.
 */
export async function got<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let settled: { data?: T; error?: unknown; response: Response };
  try {
    settled = await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE);
  }
  if (settled.response.ok) return settled.data as T;
  throw new ApiError(problemOf(settled.error, settled.response));
}

function problemOf(error: unknown, response: Response): Problem {
  if (error && typeof error === "object" && "status" in error) return error as Problem;
  return {
    ...UNREACHABLE,
    title: response.statusText || "Error",
    status: response.status,
    detail: `the service answered with ${response.status}`,
    hint: "",
  };
}

/** The bytes or text of an address of the API, where types do not help: exports, images, streams. */
export async function fetched(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(path), { ...init, headers: { ...authorization(), ...init.headers } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE);
  }
  if (!response.ok) throw new ApiError(problemOf(await response.json().catch(() => null), response));
  return response;
}
