/** A graph that can be moved, searched, folded and walked, of ten boxes or ten thousand. */

import {
  type KeyboardEvent,
  type ReactElement,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { GraphView as Graph } from "@/api/client";
import { useTheme } from "@/app/preferences";
import { Button, IconButton } from "@/kit/Button";
import { Empty } from "@/kit/Page";
import { labelOf } from "@/model/states";
import { countText } from "@/model/time";
import { inksOf } from "@/timeline/inks";
import type { Counts } from "./counts";
import { boxAt, type Camera, type Change, draw, type Picture } from "./draw";
import { type Box, everything, firstOpen, structureOf } from "./structure";
import { useLayout } from "./useLayout";
import { relatedTo, step, waysOf } from "./walk";
import "./GraphView.css";

interface Props {
  graph: Graph;
  label: string;
  counts?: Counts | null;
  changes?: ReadonlyMap<string, Change> | null;
  /** A node's id: its group and key. */
  selected: string | null;
  onSelect: (id: string | null) => void;
  onOpen?: (id: string) => void;
}

const NEAREST = 2;
const FARTHEST = 0.02;
const MARGIN = 24;

export function GraphView({
  graph,
  label,
  counts = null,
  changes = null,
  selected,
  onSelect,
  onOpen,
}: Props): ReactElement {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => firstOpen(graph));
  const structure = useMemo(() => structureOf(graph, open), [graph, open]);
  const layout = useLayout(structure.root);
  const theme = useTheme();
  const inks = useMemo(() => inksOf(theme), [theme]);
  const ways = useMemo(() => waysOf(structure.edges), [structure]);
  const boxes = useMemo(() => boxesById(structure.root), [structure]);
  const places = useMemo(() => new Map((layout?.boxes ?? []).map((each) => [each.id, each])), [layout]);
  const shown = useMemo(() => foldedCounts(counts, structure.seen), [counts, structure]);
  const seen = selected === null ? null : (structure.seen.get(selected) ?? selected);
  const related = useMemo(() => (seen === null ? null : relatedTo(ways, seen)), [ways, seen]);
  const [find, setFind] = useState("");
  const found = useMemo(() => matching(boxes, places, find), [boxes, places, find]);
  const foundSet = useMemo(() => new Set(found), [found]);
  const [foundAt, setFoundAt] = useState(-1);

  const canvas = useRef<HTMLCanvasElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const camera = useRef<Camera>({ x: 0, y: 0, scale: 1 });
  const size = useRef({ width: 0, height: 0 });
  const moving = useRef(false);
  const [pointed, setPointed] = useState<string | null>(null);

  const picture = useRef<Picture | null>(null);
  picture.current = layout && {
    layout,
    places,
    boxes,
    edges: structure.edges,
    camera: camera.current,
    ...size.current,
    dpr: globalThis.devicePixelRatio || 1,
    counts: shown,
    changes,
    selected: seen,
    pointed,
    related,
    found: foundSet,
    inks,
    moving: moving.current,
  };
  const frame = useRef(0);
  const redraw = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const context = canvas.current?.getContext("2d", { alpha: false });
      const it = picture.current;
      if (context && it && size.current.width > 0)
        draw(context, { ...it, camera: camera.current, ...size.current, moving: moving.current });
    });
  }, []);
  useEffect(redraw);

  const still = useRef<ReturnType<typeof setTimeout>>(undefined);
  const look = useCallback(
    (next: Camera) => {
      camera.current = next;
      moving.current = true;
      redraw();
      clearTimeout(still.current);
      still.current = setTimeout(() => {
        moving.current = false;
        redraw();
      }, 120);
    },
    [redraw],
  );
  const fit = useCallback(() => {
    if (layout) look(fitted(layout, size.current));
  }, [layout, look]);

  // A graph is shown whole at first; when something is opened, the camera stays where it is.
  const fittedFor = useRef<Graph | null>(null);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !layout) return;
    const measure = (): void => {
      const { width, height } = element.getBoundingClientRect();
      size.current = { width, height };
      element.width = Math.round(width * (devicePixelRatio || 1));
      element.height = Math.round(height * (devicePixelRatio || 1));
      if (fittedFor.current !== graph && width > 0) {
        fittedFor.current = graph;
        camera.current = fitted(layout, size.current);
      }
      redraw();
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, [layout, graph, redraw]);

  const zoom = useCallback(
    (factor: number, x = size.current.width / 2, y = size.current.height / 2) => {
      const { scale } = camera.current;
      const next = Math.min(Math.max(scale * factor, FARTHEST), NEAREST);
      look({
        x: camera.current.x + x / scale - x / next,
        y: camera.current.y + y / scale - y / next,
        scale: next,
      });
    },
    [look],
  );

  // React's own wheel listener is passive and cannot keep the page from scrolling.
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      zoom(Math.exp(-Math.max(-80, Math.min(80, event.deltaY)) * 0.004), event.offsetX, event.offsetY);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [zoom]);

  const bring = useCallback(
    (id: string) => {
      const at = places.get(id);
      if (!at) return;
      const { width, height } = size.current;
      const scale = Math.max(camera.current.scale, 0.6);
      const left = (at.x - camera.current.x) * camera.current.scale;
      const top = (at.y - camera.current.y) * camera.current.scale;
      const inside = left > 20 && top > 20 && left < width - 200 && top < height - 80;
      if (inside && camera.current.scale >= 0.6) return redraw();
      look({
        x: at.x + at.width / 2 - width / scale / 2,
        y: at.y + at.height / 2 - height / scale / 2,
        scale,
      });
    },
    [places, look, redraw],
  );
  const choose = (id: string | null): void => {
    onSelect(id);
    if (id !== null) bring(id);
  };
  const fold = (id: string): void => {
    if (!boxes.get(id)?.folds) return;
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const toFound = (by: number): void => {
    if (found.length === 0) return;
    const next = (foundAt + by + found.length) % found.length;
    setFoundAt(next);
    choose(found[next]!);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const go = (direction: "left" | "right" | "up" | "down") => (): void => {
      const next = step(places, ways, seen, direction);
      if (next) choose(next);
    };
    const keys: Record<string, () => void> = {
      ArrowLeft: go("left"),
      ArrowRight: go("right"),
      ArrowUp: go("up"),
      ArrowDown: go("down"),
      Home: () => choose([...places.values()].find((each) => !each.open)?.id ?? null),
      Enter: () => seen !== null && (onOpen && boxes.get(seen)?.node ? onOpen(seen) : fold(seen)),
      " ": () => seen !== null && fold(seen),
      Escape: () => choose(null),
      "+": () => zoom(1.3),
      "=": () => zoom(1.3),
      "-": () => zoom(1 / 1.3),
      "0": fit,
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  const drag = useRef<{ x: number; y: number; camera: Camera; far: boolean } | null>(null);
  const at = (x: number, y: number): string | null =>
    (picture.current && boxAt({ ...picture.current, camera: camera.current }, x, y)?.id) ?? null;

  if (structure.root.inside?.length === 0)
    return (
      <Empty title="There is no graph">
        A flow decides what it calls while it runs. Its task runs are in the timeline.
      </Empty>
    );
  return (
    <div className="graph" aria-busy={layout === null}>
      <div className="graph-bar" data-find>
        <input
          ref={field}
          type="search"
          className="graph-find"
          aria-label="Find in the graph"
          placeholder="Find a task"
          value={find}
          onChange={(event) => {
            setFind(event.target.value);
            setFoundAt(-1);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") toFound(event.shiftKey ? -1 : 1);
          }}
        />
        {find && (
          <span className="muted num" role="status">
            {found.length === 0 ? "none" : `${foundAt + 1} of ${countText(found.length)}`}
          </span>
        )}
        <span className="muted num">{countText(boxes.size)} boxes</span>
        <span className="graph-acts">
          {everything(graph).length > 0 && (
            <>
              <Button kind="quiet" onPress={() => setOpen(new Set(everything(graph)))}>
                Open all
              </Button>
              <Button kind="quiet" onPress={() => setOpen(new Set())}>
                Fold all
              </Button>
            </>
          )}
          <IconButton label="Nearer" onPress={() => zoom(1.3)}>
            +
          </IconButton>
          <IconButton label="Farther" onPress={() => zoom(1 / 1.3)}>
            −
          </IconButton>
          <Button kind="quiet" onPress={fit}>
            Whole graph
          </Button>
        </span>
      </div>
      <div
        className="graph-stage"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys below move and choose
        tabIndex={0}
        role="application"
        aria-roledescription="graph"
        aria-label={`${label}: arrows follow the edges, space opens and folds groups, Enter opens a task, plus and minus zoom, 0 shows all`}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { x: event.clientX, y: event.clientY, camera: camera.current, far: false };
        }}
        onPointerMove={(event) => {
          const from = drag.current;
          if (!from) {
            const next = at(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
            if (next !== pointed) setPointed(next);
            return;
          }
          const x = event.clientX - from.x;
          const y = event.clientY - from.y;
          if (Math.abs(x) + Math.abs(y) > 4) from.far = true;
          const { scale } = from.camera;
          if (from.far) look({ x: from.camera.x - x / scale, y: from.camera.y - y / scale, scale });
        }}
        onPointerUp={(event) => {
          const far = drag.current?.far;
          drag.current = null;
          if (far) return;
          onSelect(at(event.nativeEvent.offsetX, event.nativeEvent.offsetY));
        }}
        onDoubleClick={(event) => {
          const id = at(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
          if (id === null) return;
          if (boxes.get(id)?.folds) fold(id);
          else onOpen?.(id);
        }}
      >
        <canvas ref={canvas} />
      </div>
      <p className="hidden-label" aria-live="polite">
        {seen !== null && describe(seen, boxes, ways, shown)}
      </p>
    </div>
  );
}

function boxesById(root: Box): Map<string, Box> {
  const found = new Map<string, Box>();
  const add = (box: Box): void => {
    for (const each of box.inside ?? []) {
      found.set(each.id, each);
      add(each);
    }
  };
  add(root);
  return found;
}

/** Counts of nodes that a folded box hides are the box's. */
function foldedCounts(counts: Counts | null, seen: ReadonlyMap<string, string>): Counts | null {
  if (!counts) return null;
  const made = new Map<string, Map<string, number>>();
  for (const [id, states] of counts) {
    const box = seen.get(id);
    if (box === undefined) continue;
    const sums = made.get(box) ?? new Map<string, number>();
    for (const [state, count] of states) sums.set(state, (sums.get(state) ?? 0) + count);
    made.set(box, sums);
  }
  return made;
}

function matching(
  boxes: ReadonlyMap<string, Box>,
  places: ReadonlyMap<string, unknown>,
  find: string,
): string[] {
  const wanted = find.trim().toLowerCase();
  if (wanted === "") return [];
  return [...boxes.values()]
    .filter(
      (each) =>
        places.has(each.id) &&
        (each.label.toLowerCase().includes(wanted) || each.id.toLowerCase().includes(wanted)),
    )
    .map((each) => each.id);
}

function fitted(
  layout: { width: number; height: number },
  { width, height }: { width: number; height: number },
): Camera {
  const scale = Math.min(
    Math.max(
      Math.min(
        (width - 2 * MARGIN) / Math.max(layout.width, 1),
        (height - 2 * MARGIN) / Math.max(layout.height, 1),
      ),
      FARTHEST,
    ),
    1,
  );
  return {
    x: layout.width / 2 - width / scale / 2,
    y: layout.height / 2 - height / scale / 2,
    scale,
  };
}

function describe(
  id: string,
  boxes: ReadonlyMap<string, Box>,
  ways: ReturnType<typeof waysOf>,
  counts: Counts | null,
): string {
  const name = (each: string): string => boxes.get(each)?.label ?? each;
  const states = [...(counts?.get(id) ?? [])].map(([state, count]) => `${count} ${labelOf(state)}`);
  const before = ways.before.get(id)?.map(name) ?? [];
  const after = ways.after.get(id)?.map(name) ?? [];
  return [
    name(id),
    states.join(", "),
    before.length > 0 ? `after ${before.slice(0, 5).join(", ")}` : "nothing before it",
    after.length > 0 ? `before ${after.slice(0, 5).join(", ")}` : "nothing after it",
  ]
    .filter(Boolean)
    .join("; ");
}
