import { describe, expect, it } from "vitest";
import { levelOf, links, parts, plain } from "./ansi";
import { LinePages, PAGE } from "./pages";
import { LINE, scaleOf, scrollOf, topOf } from "./scroll";

describe("colours", () => {
  it("become parts, and other sequences nothing", () => {
    expect(parts("a \x1b[1;31mred\x1b[0m b\x1b[2K")).toEqual([
      { text: "a ", style: "" },
      { text: "red", style: "ansi-bold ansi-red" },
      { text: " b", style: "" },
    ]);
    expect(parts("\x1b[38;5;9mbright\x1b[38;2;1;2;3mrgb")).toEqual([
      { text: "bright", style: "ansi-red" },
      { text: "rgb", style: "ansi-red" },
    ]);
    expect(plain("\x1b]8;;https://x\x07link\x1b]8;;\x07 \x1b[33mend")).toBe("link end");
  });

  it("never lose text that is not a sequence", () => {
    expect(parts("tab\there [31m")).toEqual([{ text: "tab\there [31m", style: "" }]);
  });
});

describe("links", () => {
  it("end before punctuation and brackets that are not theirs", () => {
    const text = "see https://a.example/x_(y), or (http://b.example). no ftp://c";
    expect(links(text).map(([from, to]) => text.slice(from, to))).toEqual([
      "https://a.example/x_(y)",
      "http://b.example",
    ]);
  });
});

describe("levels", () => {
  it("are read where lines begin", () => {
    expect(levelOf("2026-11-24T03:11:57.306Z ERROR weft.task: x")).toBe("error");
    expect(levelOf("WARN x")).toBe("warning");
    expect(levelOf("no information, no errors")).toBeUndefined();
  });
});

describe("scrolling", () => {
  it("maps lines and positions onto each other, also where pixels are too few", () => {
    for (const lines of [1, 40, 1000, 16_000_000]) {
      const scale = scaleOf(lines, 600);
      expect(scale.height).toBeLessThanOrEqual(8_000_000);
      for (const share of [0, 0.25, 0.5, 1]) {
        const top = share * scale.last;
        expect(topOf(scale, 600, scrollOf(scale, 600, top))).toBeCloseTo(top, 3);
      }
    }
    const small = scaleOf(1000, 600);
    expect(scrollOf(small, 600, 10)).toBeCloseTo(10 * LINE, 6);
  });
});

describe("pages", () => {
  it("are asked for once, and again where lines may have come", () => {
    const pages = new LinePages();
    expect(pages.missing(10, 20, 100)).toEqual([0]);
    pages.put(0, ["a", "b"]);
    expect(pages.missing(0, 1, 2)).toEqual([]);
    expect(pages.missing(0, 5, 6)).toEqual([0]);
    expect(pages.line(1)).toBe("b");
    expect(pages.missing(PAGE * 2, PAGE * 3, PAGE * 9)).toEqual([2, 3]);
  });

  it("grow at the end, also by what completes the last line", () => {
    const pages = new LinePages();
    pages.put(0, ["one", "tw"]);
    pages.append(1, ["two", "three"]);
    expect([0, 1, 2].map((number) => pages.line(number))).toEqual(["one", "two", "three"]);
    pages.append(PAGE, ["first of the next"]);
    expect(pages.line(PAGE)).toBe("first of the next");
    pages.append(5 * PAGE + 7, ["nobody knows what is before"]);
    expect(pages.line(5 * PAGE + 7)).toBeUndefined();
  });

  it("forget what was seen long ago", () => {
    const pages = new LinePages();
    for (let page = 0; page < 100; page++) pages.put(page, [String(page)]);
    expect(pages.line(0)).toBeUndefined();
    expect(pages.line(99 * PAGE)).toBe("99");
  });
});
