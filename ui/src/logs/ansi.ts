/** Colours that programs write into their output: the SGR sequences of ECMA-48, as parts with classes. */

export interface Part {
  text: string;
  /** Classes such as `ansi-bold ansi-red`; empty for plain text. */
  style: string;
}

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  /\x1b\[([0-9;:]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b[^[\]]?/g;

interface Pen {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  colour: string;
}

const PLAIN: Pen = { bold: false, dim: false, italic: false, underline: false, colour: "" };

/** Text without its escape sequences. */
export const plain = (line: string): string => (line.includes("\x1b") ? line.replace(SEQUENCE, "") : line);

/** Cut a line into parts; other sequences than colours are left out. */
export function parts(line: string): Part[] {
  if (!line.includes("\x1b")) return [{ text: line, style: "" }];
  const made: Part[] = [];
  let pen = PLAIN;
  let at = 0;
  const put = (to: number): void => {
    if (to > at) made.push({ text: line.slice(at, to), style: classOf(pen) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    put(match.index);
    at = match.index + match[0].length;
    if (match[2] === "m") pen = turned(pen, match[1] ?? "");
  }
  put(line.length);
  return made;
}

function turned(pen: Pen, codes: string): Pen {
  const next = { ...pen };
  const numbers = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at]!;
    if (code === 0) Object.assign(next, PLAIN);
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code >= 30 && code <= 37) next.colour = COLOURS[code - 30]!;
    else if (code >= 90 && code <= 97) next.colour = COLOURS[code - 90]!;
    else if (code === 39) next.colour = "";
    else if (code === 38 || code === 48) {
      // Of the 256 and 16 million colours the basic ones are shown, which fit both themes.
      const wide = numbers[at + 1] === 5 ? 2 : 4;
      const wanted = numbers[at + 2];
      if (code === 38 && wide === 2 && wanted !== undefined && wanted < 16)
        next.colour = COLOURS[wanted % 8]!;
      at += wide;
    }
  }
  return next;
}

function classOf(pen: Pen): string {
  const classes: string[] = [];
  if (pen.bold) classes.push("ansi-bold");
  if (pen.dim) classes.push("ansi-dim");
  if (pen.italic) classes.push("ansi-italic");
  if (pen.underline) classes.push("ansi-underline");
  if (pen.colour) classes.push(`ansi-${pen.colour}`);
  return classes.join(" ");
}

const BRACKETS = [
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
] as const;

const LINK = /https?:\/\/[^\s<>"'`]+/g;

/** Where the addresses in a text are, without the punctuation that follows them. */
export function links(text: string): [number, number][] {
  if (!text.includes("://")) return [];
  return [...text.matchAll(LINK)].map((match) => {
    let found = match[0].replace(/[.,;:!?]+$/, "");
    // A closing bracket belongs to the address only if it was opened in it.
    for (const [open, close] of BRACKETS)
      while (found.endsWith(close) && found.split(open).length < found.split(close).length)
        found = found.slice(0, -1);
    return [match.index, match.index + found.length];
  });
}

const LEVEL = /\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b/;

export type Level = "debug" | "info" | "warning" | "error";

/** How grave a line is, if it says so near its beginning. */
export function levelOf(line: string): Level | undefined {
  const found = LEVEL.exec(line.slice(0, 120))?.[1];
  if (!found) return undefined;
  if (found.startsWith("WARN")) return "warning";
  if (found === "CRITICAL" || found === "FATAL") return "error";
  return found.toLowerCase() as Level;
}
