/** Draws a graph: cards that can be read, and from afar their colours. */

import { STATES } from "@/model/states";
import type { Inks } from "@/timeline/paint";
import type { Counts } from "./counts";
import type { Layout, Placed } from "./layout";
import type { Box, Edge } from "./structure";

export interface Camera {
  x: number;
  y: number;
  /** Pixels of the screen for a unit of the layout. */
  scale: number;
}

export type Change = "added" | "removed" | "changed";

export interface Picture {
  layout: Layout;
  places: ReadonlyMap<string, Placed>;
  boxes: ReadonlyMap<string, Box>;
  edges: readonly Edge[];
  camera: Camera;
  width: number;
  height: number;
  dpr: number;
  counts: Counts | null;
  changes: ReadonlyMap<string, Change> | null;
  selected: string | null;
  pointed: string | null;
  /** What is before and after the selected box, itself included; others fade. */
  related: ReadonlySet<string> | null;
  found: ReadonlySet<string>;
  inks: Inks;
  /** While the camera moves, what costs much is left out. */
  moving: boolean;
}

/** Nearer than this, cards have text. */
const READABLE = 0.42;
/** So many edges are drawn while the camera moves. */
const EDGES_MOVING = 3000;

export function draw(context: CanvasRenderingContext2D, picture: Picture): void {
  const { camera, dpr, width, height, inks, layout } = picture;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  context.fillStyle = inks.ground;
  context.fillRect(0, 0, width, height);
  context.setTransform(
    dpr * camera.scale,
    0,
    0,
    dpr * camera.scale,
    -camera.x * camera.scale * dpr,
    -camera.y * camera.scale * dpr,
  );
  const view = {
    left: camera.x - 40,
    top: camera.y - 40,
    right: camera.x + width / camera.scale + 40,
    bottom: camera.y + height / camera.scale + 40,
  };
  const seen = (each: Placed): boolean =>
    each.x < view.right &&
    each.x + each.width > view.left &&
    each.y < view.bottom &&
    each.y + each.height > view.top;
  for (const each of layout.boxes) if (each.open && seen(each)) frame(context, picture, each);
  if (!picture.moving || picture.edges.length <= EDGES_MOVING) edges(context, picture, view);
  for (const each of layout.boxes) if (!each.open && seen(each)) card(context, picture, each);
}

function frame(context: CanvasRenderingContext2D, picture: Picture, at: Placed): void {
  const { inks, boxes, camera } = picture;
  context.fillStyle = inks.band;
  context.strokeStyle = picture.selected === at.id ? inks.accent : inks.line;
  context.lineWidth = picture.selected === at.id ? 2 : 1;
  context.beginPath();
  context.roundRect(at.x, at.y, at.width, at.height, 10);
  context.fill();
  context.stroke();
  if (camera.scale < READABLE) return;
  context.fillStyle = inks.faint;
  context.font = `600 12px ${inks.font}`;
  context.textBaseline = "middle";
  context.fillText(`▾ ${boxes.get(at.id)?.label ?? ""}`, at.x + 12, at.y + 16);
}

interface View {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

function edges(context: CanvasRenderingContext2D, picture: Picture, view: View): void {
  const { places, inks, related, layout, selected } = picture;
  const lit: Edge[] = [];
  context.strokeStyle = inks.faint;
  context.globalAlpha = related ? 0.15 : 0.5;
  context.lineWidth = Math.max(1, 0.7 / picture.camera.scale);
  context.beginPath();
  for (const edge of picture.edges) {
    if (selected !== null && related?.has(edge[0]) && related.has(edge[1])) lit.push(edge);
    else trace(context, places, layout, edge, view);
  }
  context.stroke();
  context.globalAlpha = 1;
  if (lit.length === 0) return;
  context.strokeStyle = inks.accent;
  context.lineWidth = Math.max(1.6, 1 / picture.camera.scale);
  context.beginPath();
  for (const edge of lit) trace(context, places, layout, edge, view);
  context.stroke();
}

function trace(
  context: CanvasRenderingContext2D,
  places: ReadonlyMap<string, Placed>,
  layout: Layout,
  [from, to]: Edge,
  view: View,
): void {
  const a = places.get(from);
  const b = places.get(to);
  if (!a || !b) return;
  const x0 = a.x + a.width;
  const y0 = a.y + a.height / 2;
  const x1 = b.x;
  const y1 = b.y + b.height / 2;
  if (Math.max(x0, x1) < view.left || Math.min(x0, x1) > view.right) return;
  if (Math.max(y0, y1) < view.top && layout.bends[`${from}\n${to}`] === undefined) return;
  if (Math.min(y0, y1) > view.bottom && layout.bends[`${from}\n${to}`] === undefined) return;
  const bends = layout.bends[`${from}\n${to}`] ?? [];
  context.moveTo(x0, y0);
  let x = x0;
  let y = y0;
  const on = (nextX: number, nextY: number): void => {
    const half = (nextX - x) / 2;
    context.bezierCurveTo(x + half, y, nextX - half, nextY, nextX, nextY);
    x = nextX;
    y = nextY;
  };
  for (let at = 0; at < bends.length; at += 2) on(bends[at]!, bends[at + 1]!);
  on(x1, y1);
}

function card(context: CanvasRenderingContext2D, picture: Picture, at: Placed): void {
  const { inks, boxes, counts, camera, related, changes } = picture;
  const box = boxes.get(at.id);
  const states = counts?.get(at.id);
  const change = changes?.get(at.id);
  context.globalAlpha = related && !related.has(at.id) ? 0.35 : 1;
  const gravest = states ? STATES.find((state) => GRAVEST.has(state) && states.has(state)) : undefined;
  const tone = gravest ?? (states ? STATES.find((state) => states.has(state)) : undefined);
  if (camera.scale < READABLE) {
    context.fillStyle = change ? changeInk(change, inks) : tone ? inks.states[tone] : inks.faint;
    context.fillRect(at.x, at.y, at.width, at.height);
  } else {
    context.fillStyle = inks.ground;
    context.strokeStyle = change ? changeInk(change, inks) : tone ? inks.states[tone] : inks.line;
    context.lineWidth = change ? 2.5 : 1.5;
    context.setLineDash(change === "removed" ? [5, 4] : []);
    context.beginPath();
    context.roundRect(at.x, at.y, at.width, at.height, 8);
    context.fill();
    context.stroke();
    context.setLineDash([]);
    if (box?.folds) {
      context.beginPath();
      context.roundRect(at.x + 4, at.y + at.height + 2, at.width - 8, 2, 1);
      context.fillStyle = inks.line;
      context.fill();
    }
    words(context, picture, at, box, states, change);
  }
  outline(context, picture, at);
  context.globalAlpha = 1;
}

const GRAVEST: ReadonlySet<string> = new Set([
  "failed",
  "upstream_failed",
  "running",
  "retrying",
  "waiting",
  "lost",
]);

const changeInk = (change: Change, inks: Inks): string =>
  inks.states[change === "added" ? "succeeded" : change === "removed" ? "failed" : "retrying"];

function outline(context: CanvasRenderingContext2D, picture: Picture, at: Placed): void {
  const { inks, camera } = picture;
  const chosen = picture.selected === at.id;
  if (!chosen && picture.pointed !== at.id && !picture.found.has(at.id)) return;
  context.strokeStyle = chosen ? inks.accent : picture.found.has(at.id) ? inks.states.retrying : inks.ink;
  context.lineWidth = (chosen ? 2.5 : 1.5) / Math.min(camera.scale, 1);
  context.beginPath();
  context.roundRect(at.x - 3, at.y - 3, at.width + 6, at.height + 6, 10);
  context.stroke();
}

function words(
  context: CanvasRenderingContext2D,
  picture: Picture,
  at: Placed,
  box: Box | undefined,
  states: ReadonlyMap<string, number> | undefined,
  change: Change | undefined,
): void {
  const { inks } = picture;
  const node = box?.node;
  let left = at.x + 12;
  const total = states ? [...states.values()].reduce((sum, each) => sum + each, 0) : 0;
  if (states && total > 0) {
    const state =
      STATES.find((each) => states.has(each) && GRAVEST.has(each)) ?? STATES.find((each) => states.has(each));
    if (state) {
      mark(context, state, at.x + 18, at.y + 17, inks);
      left = at.x + 32;
    }
  }
  const room = at.x + at.width - 10 - left;
  context.textBaseline = "middle";
  context.fillStyle = inks.ink;
  context.font = `600 12.5px ${inks.font}`;
  context.fillText(
    clipped(context, `${box?.folds ? "▸ " : ""}${box?.label ?? at.id}`, room),
    left,
    at.y + 17,
  );
  context.fillStyle = inks.faint;
  context.font = `11px ${inks.font}`;
  context.fillText(clipped(context, detailOf(box, total, change), at.width - 24), at.x + 12, at.y + 33);
  if (total > 1 && states) bar(context, states, total, at, inks);
  if (node?.role && node.role !== "work") {
    context.fillStyle = inks.accent;
    context.fillRect(at.x, at.y + 8, 3, at.height - 16);
  }
}

const RULES: Record<string, string> = { all_success: "" };

function detailOf(box: Box | undefined, total: number, change: Change | undefined): string {
  const node = box?.node;
  const parts: string[] = [];
  if (change) parts.push(change);
  if (box && !node) parts.push(`group of ${box.size}`);
  if (node?.mapped) parts.push(total > 0 ? `${total.toLocaleString("en-US")} items` : "for each item");
  if (node?.role && node.role !== "work") parts.push(node.role === "exit" ? "exit handler" : node.role);
  if (node?.branch) parts.push(node.branch === "choose" ? "branch" : node.branch.replaceAll("_", " "));
  if (node?.conditional) parts.push("if its condition holds");
  const rule = node ? (RULES[node.rule] ?? node.rule.replaceAll("_", " ")) : "";
  if (rule && node?.role === "work") parts.push(rule);
  if (parts.length === 0 && node) parts.push(node.kind === "group" ? `holds ${box?.size}` : node.kind);
  return parts.join(" · ");
}

function bar(
  context: CanvasRenderingContext2D,
  states: ReadonlyMap<string, number>,
  total: number,
  at: Placed,
  inks: Inks,
): void {
  let x = at.x + 8;
  const wide = at.width - 16;
  for (const state of STATES) {
    const count = states.get(state);
    if (!count) continue;
    const part = Math.max((count / total) * wide, 2);
    context.fillStyle = inks.states[state];
    context.fillRect(x, at.y + at.height - 5, Math.min(part, at.x + 8 + wide - x), 3);
    x += part;
  }
}

const widths = new Map<string, string>();

function clipped(context: CanvasRenderingContext2D, text: string, room: number): string {
  const key = `${context.font} ${Math.round(room)} ${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  let made = text;
  if (context.measureText(text).width > room) {
    let low = 0;
    let high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (context.measureText(`${text.slice(0, middle)}…`).width <= room) low = middle;
      else high = middle - 1;
    }
    made = `${text.slice(0, low)}…`;
  }
  if (widths.size > 20_000) widths.clear();
  widths.set(key, made);
  return made;
}

/** The state's shape, so that colour is not all that tells it. */
function mark(context: CanvasRenderingContext2D, state: string, x: number, y: number, inks: Inks): void {
  const ink = inks.states[state as keyof Inks["states"]];
  context.fillStyle = ink;
  context.strokeStyle = ink;
  context.lineWidth = 1.8;
  context.beginPath();
  if (state === "failed") {
    for (let corner = 0; corner < 8; corner++) {
      const turn = (Math.PI / 4) * corner + Math.PI / 8;
      context.lineTo(x + Math.cos(turn) * 7, y + Math.sin(turn) * 7);
    }
    context.fill();
    stroke(context, inks.ground, [
      [x - 2.5, y - 2.5, x + 2.5, y + 2.5],
      [x + 2.5, y - 2.5, x - 2.5, y + 2.5],
    ]);
  } else if (state === "upstream_failed") {
    context.moveTo(x, y - 6.5);
    context.lineTo(x + 7, y + 5.5);
    context.lineTo(x - 7, y + 5.5);
    context.fill();
  } else if (state === "succeeded" || state === "cancelled" || state === "paused") {
    context.arc(x, y, 6.5, 0, Math.PI * 2);
    context.fill();
    if (state === "succeeded")
      stroke(context, inks.ground, [
        [x - 3, y + 0.2, x - 0.8, y + 2.4],
        [x - 0.8, y + 2.4, x + 3.2, y - 2.4],
      ]);
    else stroke(context, inks.ground, [[x - 3, y, x + 3, y]]);
  } else if (state === "cached") {
    context.moveTo(x, y - 7);
    context.lineTo(x + 7, y);
    context.lineTo(x, y + 7);
    context.lineTo(x - 7, y);
    context.fill();
  } else if (state === "running") {
    context.arc(x, y, 5.8, 0, Math.PI * 1.5);
    context.stroke();
    context.beginPath();
    context.arc(x, y, 2.2, 0, Math.PI * 2);
    context.fill();
  } else if (state === "skipped")
    stroke(context, ink, [
      [x - 5, y - 4, x - 1, y],
      [x - 1, y, x - 5, y + 4],
      [x + 1, y - 4, x + 5, y],
      [x + 5, y, x + 1, y + 4],
    ]);
  else {
    context.arc(x, y, 5.6, 0, Math.PI * 2);
    context.stroke();
    if (state === "waiting")
      stroke(context, ink, [
        [x, y - 3, x, y],
        [x, y, x + 2.4, y + 1.4],
      ]);
  }
}

function stroke(
  context: CanvasRenderingContext2D,
  ink: string,
  lines: readonly (readonly [number, number, number, number])[],
): void {
  context.strokeStyle = ink;
  context.lineWidth = 1.7;
  context.beginPath();
  for (const [x0, y0, x1, y1] of lines) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

/** The innermost box under a point of the screen; null for none. */
export function boxAt(picture: Picture, x: number, y: number): Placed | null {
  const at = {
    x: picture.camera.x + x / picture.camera.scale,
    y: picture.camera.y + y / picture.camera.scale,
  };
  let found: Placed | null = null;
  for (const each of picture.layout.boxes)
    if (at.x >= each.x && at.x <= each.x + each.width && at.y >= each.y && at.y <= each.y + each.height)
      if (!found || each.depth >= found.depth) found = each;
  return found;
}
