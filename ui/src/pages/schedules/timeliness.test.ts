import { expect, it } from "vitest";
import { isLate } from "./timeliness";

it("is late a while after a tick that nothing was decided about", () => {
  const now = Date.parse("2026-01-01T00:10:00Z");
  expect(isLate({ paused: false, next_tick: "2026-01-01T00:08:00Z" }, now)).toBe(true);
  expect(isLate({ paused: false, next_tick: "2026-01-01T00:09:30Z" }, now)).toBe(false);
  expect(isLate({ paused: true, next_tick: "2026-01-01T00:00:00Z" }, now)).toBe(false);
  expect(isLate({ paused: false, next_tick: null }, now)).toBe(false);
});
