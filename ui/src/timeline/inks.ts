/** The theme's colours for canvases, which know no variables. */

import { palette } from "@/model/states";
import type { Inks } from "./paint";

/** The colours as they are now; `theme` only says when they have changed. */
export function inksOf(theme: string): Inks {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    states: palette(),
    ground: token("panel"),
    line: token("line"),
    ink: token("ink"),
    faint: token("ink-3"),
    accent: token("accent"),
    band: token(theme === "dark" ? "raised" : "ground"),
    font: token("font"),
  };
}
