/** Lays out beside the page, which stays quick meanwhile. */

import { layout } from "./layout";
import type { Box } from "./structure";

declare const self: {
  onmessage: (event: MessageEvent<{ key: string; root: Box }>) => void;
  postMessage: (message: unknown) => void;
};

self.onmessage = ({ data: { key, root } }) => self.postMessage({ key, layout: layout(root) });
