import { expect, it } from "vitest";
import { bodyOf, NO_WISH, wrongOf } from "./wish";

const WISH = {
  ...NO_WISH,
  schedule: "a#b#default",
  first: "2026-01-01T00:00:00Z",
  last: "2026-01-02T00:00:00Z",
};

it("tells what is wrong where it is", () => {
  expect(wrongOf({ ...NO_WISH, maxActive: "0" }, undefined)).toEqual({
    schedule: "Choose what to run",
    first: "This is needed",
    last: "This is needed",
    maxActive: "This must be from 1 to 1,000",
  });
  const schema = { type: "object", properties: { n: { type: "integer" } } };
  expect(wrongOf({ ...WISH, params: { n: 1.5 } }, schema)).toEqual({
    "params.n": "This must be a whole number",
  });
  expect(wrongOf({ ...WISH, last: "2025-01-01T00:00:00Z" }, undefined).last).toBe("This is before the first");
});

it("takes a workflow's name apart from its schedule's at the last sign", () =>
  expect(bodyOf(WISH)).toMatchObject({ workflow: "a#b", schedule: "default", max_active: 4 }));
