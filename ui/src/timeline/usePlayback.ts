/** A moment of the past that goes on by itself, so that one sees a run happen again. */

import { useCallback, useEffect, useState } from "react";

/** A whole run is played in this time. */
const LASTS_MS = 12_000;

export interface Playback {
  /** The moment shown; null is the end, or the present. */
  at: number | null;
  playing: boolean;
  toggle: () => void;
  seek: (at: number) => void;
  end: () => void;
}

export function usePlayback(span: number): Playback {
  const [at, setAt] = useState<number | null>(null);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    let last = performance.now();
    let frame = requestAnimationFrame(function go(now: number) {
      const step = ((now - last) / LASTS_MS) * span;
      last = now;
      setAt((before) => {
        const next = (before ?? 0) + step;
        if (next < span) return next;
        setPlaying(false);
        return null;
      });
      frame = requestAnimationFrame(go);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, span]);
  const toggle = useCallback(() => setPlaying((before) => !before), []);
  const seek = useCallback(
    (next: number) => {
      setPlaying(false);
      setAt(next >= span * 0.999 ? null : next);
    },
    [span],
  );
  const end = useCallback(() => {
    setPlaying(false);
    setAt(null);
  }, []);
  return { at, playing, toggle, seek, end };
}
