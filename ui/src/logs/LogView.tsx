/** The log of an attempt: any size, followed, searched by the service, with an address for every line. */

import {
  type KeyboardEvent,
  type ReactElement,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { fetched } from "@/api/client";
import { Button, IconButton } from "@/kit/Button";
import { say, sayError } from "@/kit/Dialog";
import { Icon } from "@/kit/icons";
import { Empty } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { countText, sizeText } from "@/model/time";
import { plain } from "./ansi";
import { LogLine } from "./LogLine";
import { LINE, scaleOf, scrollOf, topOf } from "./scroll";
import { useHits } from "./useHits";
import { useLog } from "./useLog";
import "./LogView.css";

/** What the address holds of a log. */
export interface LogPlace {
  /** A line from 1, and the last one of a range. */
  line?: number | undefined;
  end?: number | undefined;
  find?: string | undefined;
  regex?: boolean | undefined;
}

interface Props {
  run: string;
  idx: number;
  attempt: number;
  live: boolean;
  place: LogPlace;
  onPlace: (change: LogPlace) => void;
}

const LEVELS = "\\b(ERROR|CRITICAL|FATAL|WARN(ING)?)\\b";
/** Lines drawn above and below what is seen. */
const MARGIN = 12;
/** Lines copied at most. */
const COPY_MOST = 20_000;

export function LogView({ run, idx, attempt, live, place, onPlace }: Props): ReactElement {
  const log = useLog(run, idx, attempt, live);
  const hits = useHits(run, idx, attempt, place.find ?? "", place.regex ?? false);
  const scroller = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [viewport, setViewport] = useState(600);
  const [top, setTop] = useState(0);
  const [stuck, setStuck] = useState(place.line === undefined);
  const [at, setAt] = useState(-1);
  const moving = useRef(false);
  const scale = useMemo(() => scaleOf(log.lines, viewport), [log.lines, viewport]);

  const show = useCallback(
    (wanted: number) => {
      const next = Math.min(Math.max(wanted, 0), scale.last);
      setTop(next);
      const element = scroller.current;
      if (!element) return;
      moving.current = true;
      element.scrollTop = scrollOf(scale, element.clientHeight, next);
    },
    [scale],
  );

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setViewport(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  // At first the end, or the line of the address; later the end as long as nobody went elsewhere.
  const began = useRef(false);
  useEffect(() => {
    if (!log.known) {
      began.current = false;
      return;
    }
    if (!began.current) {
      began.current = true;
      show(place.line === undefined ? scale.last : place.line - 4);
    } else if (stuck) show(scale.last);
  }, [log.known, scale, stuck, place.line, show]);

  const first = Math.max(0, Math.floor(top) - MARGIN);
  const last = Math.min(log.lines - 1, Math.ceil(top + viewport / LINE) + MARGIN);
  const { want } = log;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page that has come makes the next one due
  useEffect(() => {
    if (log.lines > 0) want(first, last);
  }, [want, first, last, log.lines, log.version]);

  const onScroll = (): void => {
    const element = scroller.current;
    if (!element) return;
    if (moving.current) {
      moving.current = false;
      return;
    }
    const next = topOf(scale, element.clientHeight, element.scrollTop);
    setTop(next);
    setStuck(next >= scale.last - 0.5);
  };
  // Where a pixel of the bar is many lines, the wheel still moves by what it says.
  const squeezed = scale.height < log.lines * LINE;
  useEffect(() => {
    const element = scroller.current;
    if (!element || !squeezed) return;
    const onWheel = (event: WheelEvent): void => {
      if (event.ctrlKey || event.shiftKey || event.deltaY === 0) return;
      event.preventDefault();
      const next = top + event.deltaY / LINE;
      setStuck(next >= scale.last - 0.5);
      show(next);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [squeezed, top, scale, show]);

  const go = (line: number): void => {
    setStuck(line >= scale.last);
    show(line);
  };
  const toHit = (by: number): void => {
    const { matches } = hits;
    if (matches.length === 0) return;
    const next =
      at < 0
        ? Math.max(
            0,
            matches.findIndex((each) => each.line - 1 >= top),
          )
        : (at + by + matches.length) % matches.length;
    setAt(next);
    go(matches[next]!.line - 1 - Math.floor(viewport / LINE / 2));
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question begins anew
  useEffect(() => setAt(-1), [place.find, place.regex]);

  const onKey = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f") {
      event.preventDefault();
      field.current?.select();
      return;
    }
    if (event.target === field.current) return;
    if (
      (event.ctrlKey || event.metaKey) &&
      event.key === "c" &&
      place.line !== undefined &&
      !getSelection()?.toString()
    ) {
      event.preventDefault();
      void copyLines();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(viewport / LINE - 2, 1);
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(top + 1),
      ArrowUp: () => go(top - 1),
      PageDown: () => go(top + page),
      PageUp: () => go(top - page),
      " ": () => go(top + page),
      Home: () => go(0),
      End: () => go(scale.last),
      f: () => go(scale.last),
      n: () => toHit(1),
      N: () => toHit(-1),
      "/": () => field.current?.select(),
      Escape: () => onPlace({ line: undefined, end: undefined }),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  const copyLines = async (): Promise<void> => {
    const from = place.line ?? 1;
    const to = Math.min(place.end ?? from, from + COPY_MOST);
    try {
      const lines: string[] = [];
      for (let line = from; line <= to; line += 1000) {
        const amount = Math.min(1000, to - line + 1);
        const answer = await fetched(
          `api/v1/runs/${encodeURIComponent(run)}/tasks/${idx}/log/lines?attempt=${attempt}&first=${line}&count=${amount}`,
        );
        const { text } = (await answer.json()) as { text: string };
        lines.push(text.replace(/\n$/, ""));
      }
      await navigator.clipboard.writeText(plain(lines.join("\n")));
      say(to > from ? `Copied ${countText(to - from + 1)} lines` : "Copied the line");
    } catch (error) {
      sayError(error);
    }
  };
  const save = async (): Promise<void> => {
    try {
      await download(run, idx, attempt, log.size);
    } catch (error) {
      sayError(error);
    }
  };

  const pick = useCallback(
    (number: number, extend: boolean): void => {
      if (extend && place.line !== undefined)
        onPlace({ line: Math.min(place.line, number), end: Math.max(place.line, number) });
      else onPlace({ line: number, end: undefined });
      setStuck(false);
    },
    [place.line, onPlace],
  );

  const pattern = useMemo(() => patternOf(place.find ?? "", place.regex ?? false), [place.find, place.regex]);
  const found = useMemo(() => new Set(hits.matches.map((each) => each.line)), [hits.matches]);
  if (log.error) return <ProblemPanel error={log.error} />;
  if (log.known && log.lines === 0 && log.finished)
    return <Empty title="It printed nothing">What a task prints or logs is kept here.</Empty>;
  const rows: ReactElement[] = [];
  for (let line = first; line <= last; line++)
    rows.push(
      <LogLine
        key={line}
        number={line + 1}
        text={log.pages.line(line)}
        marked={place.line !== undefined && line + 1 >= place.line && line + 1 <= (place.end ?? place.line)}
        hit={found.has(line + 1)}
        current={hits.matches[at]?.line === line + 1}
        pattern={pattern}
        onNumber={pick}
      />,
    );
  const grave = place.find === LEVELS;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: its keys are those of the log inside
    <div className="log" onKeyDown={onKey} data-find>
      <div className="log-bar">
        <span className="log-find">
          <Icon name="search" size={13} />
          <input
            ref={field}
            type="search"
            aria-label="Find in the log"
            placeholder="Find in the whole log"
            value={grave ? "" : (place.find ?? "")}
            onChange={(event) => onPlace({ find: event.target.value || undefined })}
            onKeyDown={(event) => {
              if (event.key === "Enter") {
                event.preventDefault();
                toHit(event.shiftKey ? -1 : 1);
              } else if (event.key === "Escape") scroller.current?.focus();
            }}
          />
          <button
            type="button"
            className="log-toggle mono"
            aria-pressed={(place.regex ?? false) && !grave}
            aria-label="Regular expression"
            title="Regular expression"
            onClick={() => onPlace({ regex: place.regex ? undefined : true })}
          >
            .*
          </button>
        </span>
        <button
          type="button"
          className="log-toggle"
          aria-pressed={grave}
          onClick={() =>
            onPlace(grave ? { find: undefined, regex: undefined } : { find: LEVELS, regex: true })
          }
        >
          Errors and warnings
        </button>
        {place.find && (
          <span className="log-found num" role="status">
            {hits.error
              ? "not a pattern"
              : `${at >= 0 ? `${countText(at + 1)} of ` : ""}${countText(hits.matches.length)}${hits.cut ? "+" : ""} lines${hits.searching ? " …" : ""}`}
          </span>
        )}
        {hits.matches.length > 0 && (
          <>
            <Button kind="quiet" aria-label="Previous hit" onPress={() => toHit(-1)}>
              ↑
            </Button>
            <Button kind="quiet" aria-label="Next hit" onPress={() => toHit(1)}>
              ↓
            </Button>
          </>
        )}
        <span className="log-end">
          <span className="muted num">
            {countText(log.lines)} lines, {sizeText(log.size)}
          </span>
          {place.line !== undefined && (
            <Button kind="quiet" onPress={() => void copyLines()}>
              Copy {place.end ? "lines" : "line"}
            </Button>
          )}
          <IconButton label="Save the whole log as a file" onPress={() => void save()}>
            <Icon name="download" />
          </IconButton>
        </span>
      </div>
      {hits.error ? <ProblemPanel error={hits.error} /> : null}
      <div className="log-frame">
        <div
          className="log-scroll"
          ref={scroller}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
          tabIndex={0}
          role="log"
          aria-label="Log"
          aria-live="off"
          onScroll={onScroll}
        >
          <div className="log-space" style={{ height: scale.height }}>
            <div
              className="log-rows"
              style={{ transform: `translateY(${rowsAt(scroller.current, scale, top, first)}px)` }}
            >
              {rows}
            </div>
          </div>
        </div>
        <HitMap
          lines={log.lines}
          matches={hits.matches}
          onGo={(line) => go(line - 1 - Math.floor(viewport / LINE / 2))}
        />
        {!stuck && (
          <button type="button" className="log-follow" onClick={() => go(scale.last)}>
            {log.finished ? "To the end" : "Follow"} <kbd>f</kbd>
          </button>
        )}
      </div>
      {place.line !== undefined && <Whole text={log.pages.line(place.line - 1)} number={place.line} />}
    </div>
  );
}

/** The chosen line, with room for all of it. */
function Whole({ text, number }: { text: string | undefined; number: number }): ReactElement | null {
  if (text === undefined) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <pre className="log-whole" tabIndex={0} role="note" aria-label={`Line ${number}`}>
      {plain(text)}
    </pre>
  );
}

/** Where the drawn lines go so that line `top` is at the upper edge of what is seen. */
function rowsAt(
  element: HTMLElement | null,
  scale: ReturnType<typeof scaleOf>,
  top: number,
  first: number,
): number {
  const scroll = element ? scrollOf(scale, element.clientHeight, top) : 0;
  return scroll - (top - first) * LINE;
}

/** Marks beside the bar where something was found. */
function HitMap({
  lines,
  matches,
  onGo,
}: {
  lines: number;
  matches: { line: number }[];
  onGo: (line: number) => void;
}): ReactElement | null {
  const places = useMemo(() => {
    const made = new Map<number, number>();
    for (const { line } of matches) {
      const share = Math.round((line / Math.max(lines, 1)) * 400);
      if (!made.has(share)) made.set(share, line);
    }
    return [...made];
  }, [matches, lines]);
  if (places.length === 0) return null;
  return (
    <div className="log-map">
      {places.map(([share, line]) => (
        <button
          type="button"
          key={share}
          tabIndex={-1}
          aria-label={`Go to the hit in line ${line}`}
          style={{ top: `${share / 4}%` }}
          onClick={() => onGo(line)}
        />
      ))}
    </div>
  );
}

/** What to light up in the lines that are seen; the service decides what a hit is. */
function patternOf(text: string, regex: boolean): RegExp | null {
  if (text === "") return null;
  try {
    return new RegExp(regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "g");
  } catch {
    return null;
  }
}

const PIECE = 1 << 20;

/** Save a log piece by piece, so that it is never twice in memory. */
async function download(run: string, idx: number, attempt: number, size: number): Promise<void> {
  const pieces: Blob[] = [];
  let start = 0;
  while (start < size) {
    const answer = await fetched(
      `api/v1/runs/${encodeURIComponent(run)}/tasks/${idx}/log?attempt=${attempt}&start=${start}&limit=${PIECE}`,
    );
    const { text, end } = (await answer.json()) as { text: string; end: number };
    if (end <= start) break;
    pieces.push(new Blob([text]));
    start = end;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(pieces, { type: "text/plain" }));
  link.download = `${run}.${idx}.${attempt}.log`;
  link.click();
  URL.revokeObjectURL(link.href);
}
