import { expect, it } from "vitest";
import { fieldText, momentOf } from "./moments";

it("goes from moments to fields and back", () => {
  expect(fieldText("2026-11-24T08:00:00Z", "UTC")).toBe("2026-11-24T08:00:00");
  expect(momentOf("2026-11-24T08:00", "UTC")).toBe("2026-11-24T08:00:00Z");
  const at = "2026-11-24T08:00:05Z";
  expect(momentOf(fieldText(at, "local"), "local")).toBe(at);
});

it("is nothing for what is not whole", () => {
  expect(fieldText(null, "UTC")).toBe("");
  expect(fieldText("soon", "local")).toBe("");
  expect(momentOf("", "UTC")).toBeUndefined();
});
