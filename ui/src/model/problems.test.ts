import { describe, expect, it } from "vitest";
import { fieldProblems, nameProblem } from "./problems";
import { allows } from "./roles";

describe("problems of fields", () => {
  it("are told at the field, in plain words", () =>
    expect(
      fieldProblems({
        fields: {
          problems: [
            { in: "body", name: "slots", problem: "Expected `int` >= 0" },
            { in: "body", name: "extra.a", problem: "odd" },
            { in: "body", name: "name", problem: "Expected `str` of length >= 1" },
          ],
        },
      }),
    ).toEqual({ slots: "At least 0.", extra: "odd", name: "This must not be empty." }));

  it("are none where the service names none", () => {
    expect(fieldProblems(undefined)).toEqual({});
    expect(fieldProblems({ fields: {} })).toEqual({});
  });

  it("of a name are a slash or nothing in it", () => {
    expect(nameProblem("a/b")).not.toBe("");
    expect(nameProblem(" ")).not.toBe("");
    expect(nameProblem("a b")).toBe("");
  });
});

describe("roles", () => {
  it("may do what those before them may", () => {
    expect(allows("admin", "viewer")).toBe(true);
    expect(allows("viewer", "editor")).toBe(false);
  });
});
