/** Where in a scroller of bounded height the lines of a log of any length are.
 *
 * Browsers draw no element higher than some 30 million pixels. Beyond that a pixel of the scroll bar stands for
 * several pixels of text; wheel and keys still move by lines, because they move the log and the bar follows.
 */

export const LINE = 19;

/** The scroller is never higher than this, in pixels. */
const MOST = 8_000_000;

export interface Scale {
  /** Height of the scroller's content. */
  height: number;
  /** First lines that can be on top, fractions included: from 0 to this. */
  last: number;
}

export function scaleOf(lines: number, viewport: number): Scale {
  const whole = lines * LINE;
  return { height: Math.max(Math.min(whole, MOST), 1), last: Math.max(0, lines - viewport / LINE) };
}

/** The line on top, counted from 0 and with a fraction, for a scroll position. */
export function topOf(scale: Scale, viewport: number, scrollTop: number): number {
  const room = scale.height - viewport;
  return room <= 0 ? 0 : (scrollTop / room) * scale.last;
}

/** The scroll position that has a line on top. */
export function scrollOf(scale: Scale, viewport: number, top: number): number {
  const room = scale.height - viewport;
  return scale.last <= 0 || room <= 0 ? 0 : (Math.min(Math.max(top, 0), scale.last) / scale.last) * room;
}
