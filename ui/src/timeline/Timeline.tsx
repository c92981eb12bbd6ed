/** One canvas for a run's task runs along the time: overview, lanes, critical path and play-back. */

import { type ReactElement, useMemo, useState } from "react";
import { useTheme } from "@/app/preferences";
import { Button, IconButton } from "@/kit/Button";
import { ChoiceBar } from "@/kit/ChoiceBar";
import { Icon } from "@/kit/icons";
import { Empty } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { useNow } from "@/kit/Time";
import { countText, durationText } from "@/model/time";
import { type Bars, NONE } from "./bars";
import { criticalPath } from "./critical";
import { inksOf } from "./inks";
import { type Grouping, holdersOf, lanesOf } from "./lanes";
import { Overview } from "./Overview";
import { Stage } from "./Stage";
import { useBars } from "./useBars";
import { usePlayback } from "./usePlayback";
import { fitted, type Window } from "./window";
import "./Timeline.css";

/** Up to so many task runs each has a lane of its own unless somebody chooses otherwise. */
const EACH_MAX = 120;

export interface View {
  rows?: Grouping;
  from?: number;
  to?: number;
}

interface Props {
  run: string;
  open: boolean;
  view: View;
  onView: (change: View) => void;
  /** Index of the chosen task run in the run. */
  selected: number | undefined;
  onSelect: (idx: number | undefined) => void;
  onOpen: (idx: number) => void;
}

export function Timeline({ run, open, view, onView, selected, onSelect, onOpen }: Props): ReactElement {
  const timeline = useBars(run, open);
  const { bars, version } = timeline;
  const theme = useTheme();
  const tick = useNow(open);
  const now = timeline.origin && open ? tick - timeline.origin : Number.POSITIVE_INFINITY;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const span = useMemo(() => Math.max(bars.span(now) * 1.01, 20), [version, now]);
  const grouping = view.rows ?? (bars.count > EACH_MAX ? "task" : "each");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the bars are the same object while they grow
  const lanes = useMemo(
    () => lanesOf(bars, grouping, Math.min(now, span)),
    [version, grouping, open ? tick : 0],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const path = useMemo(() => (open ? [] : criticalPath(bars)), [version, open]);
  const [dim, setDim] = useState(false);
  const playback = usePlayback(span);
  const at = playback.at ?? Math.min(now, span);
  const window = useMemo<Window>(
    () => fitted({ from: view.from ?? 0, to: view.to ?? span }, span),
    [view.from, view.to, span],
  );
  const critical = useMemo(() => new Set(path), [path]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const holders = useMemo(() => holdersOf(bars), [version]);
  const inks = useMemo(() => inksOf(theme), [theme]);
  const row = selected === undefined ? -1 : bars.rowOf(selected);

  if (timeline.error) return <ProblemPanel error={timeline.error} />;
  if (timeline.whole && bars.count === 0)
    return <Empty title="Nothing has begun yet">Task runs appear here when they become due.</Empty>;
  const whole = view.from === undefined && view.to === undefined;
  return (
    <div className="timeline" aria-busy={!timeline.whole}>
      <div className="timeline-bar">
        <ChoiceBar label="Rows" value={grouping} options={GROUPINGS} onChange={(rows) => onView({ rows })} />
        {path.length > 0 && (
          <Button kind={dim ? "primary" : "plain"} aria-pressed={dim} onPress={() => setDim(!dim)}>
            Critical path
          </Button>
        )}
        {!whole && <Button onPress={() => onView({ from: undefined, to: undefined })}>Whole run</Button>}
        <span className="timeline-count num">{countText(bars.count)} task runs</span>
        <Playback playback={playback} span={span} bars={bars} at={at} />
      </div>
      <Overview
        bars={bars}
        version={version}
        span={span}
        window={window}
        at={at}
        inks={inks}
        onWindow={(next) => onView({ from: Math.round(next.from), to: Math.round(next.to) })}
      />
      <Stage
        base={{
          bars,
          lanes,
          window,
          at,
          live: open && playback.at === null,
          selected: row,
          critical,
          holders,
          dim,
          inks,
        }}
        span={span}
        onWindow={(next) => onView({ from: Math.round(next.from), to: Math.round(next.to) })}
        onWhole={() => onView({ from: undefined, to: undefined })}
        onSelect={onSelect}
        onOpen={onOpen}
      />
    </div>
  );
}

const GROUPINGS: readonly [Grouping, string][] = [
  ["each", "One by one"],
  ["task", "By task"],
  ["worker", "By worker"],
];

function Playback({
  playback,
  span,
  bars,
  at,
}: {
  playback: ReturnType<typeof usePlayback>;
  span: number;
  bars: Bars;
  at: number;
}): ReactElement {
  const running = playback.at === null ? "" : describeMoment(bars, at);
  return (
    <span className="timeline-play">
      <IconButton label={playback.playing ? "Pause" : "Play the run back"} onPress={playback.toggle}>
        <Icon name={playback.playing ? "pause" : "play"} />
      </IconButton>
      <input
        type="range"
        aria-label="Moment of the run"
        aria-valuetext={`${durationText(at)} after its beginning ${running}`}
        min={0}
        max={span}
        step={span / 1000}
        value={at}
        onChange={(event) => playback.seek(Number(event.target.value))}
      />
      <span className="num timeline-moment">{durationText(at)}</span>
      {playback.at !== null && (
        <>
          <span className="num muted">{running}</span>
          <Button kind="quiet" onPress={playback.end}>
            Back to the end
          </Button>
        </>
      )}
    </span>
  );
}

function describeMoment(bars: Bars, at: number): string {
  let running = 0;
  let over = 0;
  for (let row = 0; row < bars.count; row++) {
    if (bars.started[row] === NONE || bars.started[row]! > at) continue;
    if (bars.ended[row] !== NONE && bars.ended[row]! <= at) over += 1;
    else running += 1;
  }
  return `${countText(running)} running, ${countText(over)} over`;
}
