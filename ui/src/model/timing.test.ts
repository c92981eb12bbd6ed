import { expect, it } from "vitest";
import { cronText, offsetOf, rruleText, ticksIn, timingText } from "./timing";

it.each([
  ["* * * * *", "every minute"],
  ["*/5 * * * *", "every 5 minutes"],
  ["0 * * * *", "every hour"],
  ["15,45 * * * *", "every hour at :15 and :45"],
  ["0 */6 * * *", "every 6 hours"],
  ["0 5 * * *", "every day at 05:00"],
  ["30 8,20 * * 1-5", "on weekdays at 08:30 and 20:30"],
  ["*/15 8-17 * * MON-FRI", "every 15 minutes from 08:00 to 17:59, on weekdays"],
  ["0 0 1 * *", "on day 1 of the month at 00:00"],
  ["0 0 L * *", "on the last day of the month at 00:00"],
  ["0 9 * * 1", "on Monday at 09:00"],
  ["0 0 1 1 *", "on day 1 of January at 00:00"],
  ["@daily", "every day at 00:00"],
  ["0 0 13 * 5", null],
  ["H H * * *", null],
  ["0 0 0 1 1 * 2030", null],
])("%s is %s", (expression, text) => expect(cronText(expression)).toBe(text));

it("tells intervals in their largest whole unit", () => {
  expect(timingText({ type: "every", interval_s: 21_600 })).toBe("every 6 hours");
  expect(timingText({ type: "every", interval_s: 90 })).toBe("every 90 seconds");
  expect(timingText({ type: "every", interval_s: 86_400 })).toBe("every day");
});

it("tells simple recurrences", () => {
  expect(rruleText("RRULE:FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9")).toBe(
    "every week on Monday and Friday at 09:00",
  );
  expect(rruleText("FREQ=DAILY;COUNT=3")).toBeNull();
});

it("knows what the clock of a zone does", () => {
  expect(offsetOf("UTC", new Date("2026-07-01T00:00Z"))).toBe(0);
  expect(offsetOf("America/New_York", new Date("2026-07-01T00:00Z"))).toBe(-240);
  expect(offsetOf("No/Where", new Date())).toBeNull();
});

it("notes where the clock was changed between two ticks", () => {
  const ticks = ["2026-10-24T03:00:00Z", "2026-10-25T04:00:00Z", "2026-10-26T04:00:00Z"];
  const seen = ticksIn("Europe/Stockholm", ticks, new Date("2026-10-23T12:00:00Z"));
  expect(seen.map((each) => each.change)).toEqual(["", "the clock goes back 1 h before this one", ""]);
  expect(seen.map((each) => each.wall.slice(-5))).toEqual(["05:00", "05:00", "05:00"]);
});
