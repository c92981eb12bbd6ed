/** One stream of events for all tabs of a browser: browsers allow few connections to one service. */

import { follow } from "./sse";

interface Hello {
  url: string;
  headers: Record<string, string>;
}

declare const self: { onconnect: (event: MessageEvent) => void };

const ports = new Set<MessagePort>();
let stop: (() => void) | undefined;
let hello: Hello | undefined;
let state = { up: false, status: 0 };

function tell(message: unknown): void {
  for (const port of ports) port.postMessage(message);
}

function begin(next: Hello): void {
  if (hello && JSON.stringify(hello) === JSON.stringify(next)) return;
  hello = next;
  stop?.();
  stop = follow({
    url: next.url,
    headers: () => hello?.headers ?? {},
    onEvent: ({ event, data }) => tell({ event, data }),
    onState: (up, status) => {
      state = { up, status };
      tell({ state });
    },
  });
}

self.onconnect = ({ ports: [port] }) => {
  if (!port) return;
  ports.add(port);
  port.onmessage = ({ data }: MessageEvent<Hello | "bye">) => {
    if (data === "bye") {
      ports.delete(port);
      if (ports.size === 0) {
        stop?.();
        stop = hello = undefined;
      }
      return;
    }
    ports.add(port);
    begin(data);
    port.postMessage({ state });
  };
};
