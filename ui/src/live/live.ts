/** Committed changes as they come: whoever is interested says so, and one stream serves them all. */

import type { Schemas } from "@/api/client";
import { authorization, onToken } from "@/api/token";
import { addressOf } from "@/app/base";
import { follow } from "./sse";

export type LiveBatch = Schemas["LiveBatch"];
export interface LinkState {
  up: boolean;
  /** The last HTTP status; 0 if there was none. */
  status: number;
  /** Whether it ever stood. */
  ever: boolean;
}

type Message = { state: { up: boolean; status: number } } | { event: string; data: string };

const batches = new Set<(batch: LiveBatch) => void>();
const links = new Set<() => void>();
let link: LinkState = { up: false, status: 0, ever: false };
let quit: (() => void) | undefined;

export const linkState = (): LinkState => link;

export function onLink(listener: () => void): () => void {
  links.add(listener);
  return () => links.delete(listener);
}

export function onBatch(listener: (batch: LiveBatch) => void): () => void {
  batches.add(listener);
  return () => batches.delete(listener);
}

function take(message: Message): void {
  if ("state" in message) {
    link = { ...message.state, ever: link.ever || message.state.up };
    for (const each of links) each();
    return;
  }
  if (message.event !== "changes") return;
  const batch = JSON.parse(message.data) as LiveBatch;
  for (const each of batches) each(batch);
}

const URL_OF_ALL = "api/v1/events";

/** Follow every run's changes; call it once. */
export function begin(): void {
  quit?.();
  const url = addressOf(URL_OF_ALL);
  if (typeof SharedWorker === "undefined") {
    quit = follow({
      url,
      headers: authorization,
      onEvent: ({ event, data }) => take({ event, data }),
      onState: (up, status) => take({ state: { up, status } }),
    });
    return;
  }
  const worker = new SharedWorker(new URL("./hub.worker.ts", import.meta.url), {
    type: "module",
    name: "weft",
  });
  const hello = (): void => worker.port.postMessage({ url, headers: authorization() });
  const bye = (): void => worker.port.postMessage("bye");
  worker.port.onmessage = ({ data }: MessageEvent<Message>) => take(data);
  worker.port.start();
  hello();
  addEventListener("pagehide", bye);
  addEventListener("pageshow", hello);
  quit = () => {
    bye();
    removeEventListener("pagehide", bye);
    removeEventListener("pageshow", hello);
  };
}

onToken(begin);

/** Follow one run by a stream of its own, whose messages tell every task run's change or that many came. */
export function followRun(run: string, after: number, onChanges: (batch: LiveBatch) => void): () => void {
  return follow({
    url: addressOf(`api/v1/events?run=${encodeURIComponent(run)}&after=${after}`),
    headers: authorization,
    onEvent: ({ event, data }) => {
      if (event === "changes") onChanges(JSON.parse(data) as LiveBatch);
    },
    onState: () => undefined,
  });
}
