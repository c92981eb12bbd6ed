import { describe, expect, it } from "vitest";
import { agoText, durationText, momentText, sizeText, spentMs } from "./time";

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1500, "1.5 s"],
    [9960, "10 s"],
    [59_600, "1 m 00 s"],
    [125_000, "2 m 05 s"],
    [3_599_400, "59 m 59 s"],
    [3_600_000, "1 h 00 m"],
    [86_399_000, "1 d 0 h"],
    [90_000_000, "1 d 1 h"],
    [-1500, "-1.5 s"],
  ])("%d ms is %s", (ms, text) => expect(durationText(ms)).toBe(text));

  it("is nothing before a start", () => expect(durationText(spentMs(null, null, 5))).toBe(""));

  it("goes on until the end is known", () =>
    expect(spentMs("2026-01-01T00:00:00Z", null, Date.parse("2026-01-01T00:00:02Z"))).toBe(2000));
});

describe("moments", () => {
  it("tell the year only when it is another one", () => {
    const now = new Date("2026-06-01T00:00:00Z");
    expect(momentText(new Date("2026-11-24T00:19:00Z"), "UTC", now)).toBe("24 Nov 00:19:00");
    expect(momentText(new Date("2025-11-24T00:19:00Z"), "UTC", now)).toBe("24 Nov 2025 00:19:00");
  });

  it("are near or far", () => {
    expect(agoText(new Date(10_000), 5_000)).toBe("in 5 s");
    expect(agoText(new Date(0), 7_200_000)).toBe("2 h ago");
    expect(agoText(new Date(0), 400)).toBe("now");
  });
});

describe("sizes", () => {
  it("use decimal units", () => {
    expect(sizeText(999)).toBe("999 B");
    expect(sizeText(1500)).toBe("1.5 kB");
    expect(sizeText(999_600)).toBe("1.0 MB");
    expect(sizeText(1_200_000_000)).toBe("1.2 GB");
  });
});
