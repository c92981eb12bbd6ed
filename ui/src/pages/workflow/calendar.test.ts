import { expect, test } from "vitest";
import { levelOf, monthsOf, moved, toneOfDay, weekday, weeksOf, whereDay } from "./calendar";

test("weeks begin on Monday and hold the days between the first and the last", () => {
  expect(weekday("2026-11-23")).toBe(0);
  const weeks = weeksOf("2026-11-25", "2026-12-01");
  expect(weeks).toEqual([
    [null, null, "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"],
    ["2026-11-30", "2026-12-01", null, null, null, null, null],
  ]);
});

test("a year has 53 weeks and twelve or thirteen names of months, none over another", () => {
  const weeks = weeksOf(moved("2026-11-24", -364), "2026-11-24");
  expect(weeks.length).toBe(53);
  const months = monthsOf(weeks);
  expect(months.length).toBeGreaterThanOrEqual(12);
  for (const [at, month] of months.entries())
    if (at > 0) expect(month.week - months[at - 1]!.week).toBeGreaterThanOrEqual(3);
});

test("a failure tells most of a day, then what is open, then what there is most of", () => {
  const day = (states: Record<string, number>) => ({ day: "2026-01-01", states, p50_s: null });
  expect(toneOfDay(day({ succeeded: 90, failed: 1, running: 1 }))).toBe("failed");
  expect(toneOfDay(day({ succeeded: 90, running: 1 }))).toBe("running");
  expect(toneOfDay(day({ succeeded: 9, cancelled: 1 }))).toBe("succeeded");
  expect(toneOfDay(undefined)).toBeNull();
});

test("fuller days have higher levels, from 1 to 4", () => {
  expect(levelOf(0, 100)).toBe(0);
  expect(levelOf(1, 100)).toBe(1);
  expect(levelOf(100, 100)).toBe(4);
  expect(levelOf(30, 100)).toBeGreaterThan(levelOf(3, 100));
});

test("a day's runs are picked by its bounds", () => {
  expect(whereDay("2026-12-31", "UTC")).toBe(
    "created>=2026-12-31T00:00:00.000Z created<2027-01-01T00:00:00.000Z",
  );
});
