/** Compares two logs away from the page, which stays quick. */

import { diffLines, type LineDiff, linesOf } from "@/model/lines";
import { withoutColours, withoutTimes } from "./compare";

export interface Question {
  a: string;
  b: string;
  /** Whether what differs each time, as moments do, makes a difference. */
  times: boolean;
}

export interface Answer {
  a: string[];
  b: string[];
  diff: LineDiff;
}

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  const a = linesOf(data.a).map(withoutColours);
  const b = linesOf(data.b).map(withoutColours);
  const diff = data.times ? diffLines(a, b) : diffLines(a.map(withoutTimes), b.map(withoutTimes));
  postMessage({ a, b, diff } satisfies Answer);
});
