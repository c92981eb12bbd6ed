/** The layout of a structure, made in a worker and remembered by what is laid out. */

import { useEffect, useState } from "react";
import type { Layout } from "./layout";
import type { Box } from "./structure";

const kept = new Map<string, Layout>();
const KEPT = 20;

let worker: Worker | undefined;
const waiting = new Map<string, Set<(layout: Layout) => void>>();

function ask(key: string, root: Box, take: (layout: Layout) => void): () => void {
  worker ??= start();
  const takers = waiting.get(key);
  if (takers) takers.add(take);
  else {
    waiting.set(key, new Set([take]));
    worker.postMessage({ key, root });
  }
  return () => waiting.get(key)?.delete(take);
}

function start(): Worker {
  const made = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  made.onmessage = ({ data }: MessageEvent<{ key: string; layout: Layout }>) => {
    kept.set(data.key, data.layout);
    for (const first of kept.keys()) {
      if (kept.size <= KEPT) break;
      kept.delete(first);
    }
    const takers = waiting.get(data.key);
    waiting.delete(data.key);
    for (const take of takers ?? []) take(data.layout);
  };
  return made;
}

/** What tells one structure from another: its boxes and its edges, not what is written on them. */
export function keyOf(root: Box): string {
  const parts: string[] = [];
  const add = (box: Box): void => {
    parts.push(box.id, "(");
    for (const each of box.inside ?? []) add(each);
    for (const [from, to] of box.edges) parts.push(`${from}>${to}`);
    parts.push(")");
  };
  add(root);
  return parts.join(" ");
}

export function useLayout(root: Box): Layout | null {
  const [made, setMade] = useState<{ root: Box; layout: Layout } | null>(null);
  useEffect(() => {
    const key = keyOf(root);
    const found = kept.get(key);
    if (found) {
      setMade({ root, layout: found });
      return;
    }
    return ask(key, root, (layout) => setMade({ root, layout }));
  }, [root]);
  return made?.root === root ? made.layout : null;
}
