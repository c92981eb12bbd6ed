import { expect, it } from "vitest";
import { isObject, parsed } from "./json";

it("what is no JSON is told with its place", () => {
  expect(parsed('{"a": 1}')).toEqual({ value: { a: 1 }, problem: "" });
  expect(parsed('{"a": }').problem).toMatch(/^This is no JSON: /);
  expect(parsed("").problem).not.toBe("");
});

it("lists and nothing are no objects", () => {
  expect(isObject([])).toBe(false);
  expect(isObject(null)).toBe(false);
  expect(isObject({})).toBe(true);
});
