/** Server-sent events over `fetch`, which unlike EventSource can show a token. */

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Cuts a stream's text into events; the format is WHATWG's, section "Server-sent events". */
export class EventParser {
  private rest = "";
  private id = "";
  private event = "";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        // An event without data only moves the id.
        if (this.data.length > 0 || this.id)
          found.push({ id: this.id, event: this.event || "message", data: this.data.join("\n") });
        this.event = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "data") this.data.push(value);
      else if (name === "event") this.event = value;
      else if (name === "id") this.id = value;
    }
    return found;
  }
}

export interface Following {
  /** The address, with its query. */
  url: string;
  headers: () => Record<string, string>;
  onEvent: (event: ServerEvent) => void;
  /** Called when the connection stands or is lost. */
  onState: (up: boolean, status: number) => void;
}

const AGAIN_MS = [500, 1000, 2000, 5000];
const SILENCE_MS = 40_000;

/** Follow an event stream until the function returned is called; a lost one goes on where it was. */
export function follow({ url, headers, onEvent, onState }: Following): () => void {
  const over = new AbortController();
  let lastId = "";
  let failures = 0;

  /** Follow until it ends, and give the status that says why: 0 if there was none. */
  const once = async (): Promise<number> => {
    const mute = new AbortController();
    const stop = (): void => mute.abort();
    over.signal.addEventListener("abort", stop);
    let watchdog = setTimeout(stop, SILENCE_MS);
    try {
      const response = await fetch(url, {
        headers: {
          accept: "text/event-stream",
          ...headers(),
          ...(lastId ? { "last-event-id": lastId } : {}),
        },
        signal: mute.signal,
        cache: "no-store",
      });
      if (!response.ok || !response.body) return response.status;
      onState(true, response.status);
      failures = 0;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return 0;
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, SILENCE_MS);
        for (const event of parser.push(value)) {
          if (event.id) lastId = event.id;
          if (event.data) onEvent(event);
        }
      }
    } finally {
      clearTimeout(watchdog);
      over.signal.removeEventListener("abort", stop);
    }
  };

  void (async () => {
    while (!over.signal.aborted) {
      const status = await once().catch(() => 0);
      if (over.signal.aborted) return;
      onState(false, status);
      const wait = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)]!;
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  })();
  return () => over.abort();
}
