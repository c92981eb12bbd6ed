import { describe, expect, it } from "vitest";
import { complete, quoted, RUNS, statesOf, withStates } from "./query";

const labels = (text: string, known = {}): string[] =>
  complete(text, text.length, RUNS, known).items.map((each) => each.label);

describe("completion", () => {
  it("offers fields at the start of a term", () => {
    expect(labels("st")).toEqual(["state", "started"]);
    expect(labels("state:failed -w")).toEqual(["workflow"]);
    expect(complete("a:b -wo", 7, RUNS)).toMatchObject({ from: 5, to: 7 });
  });

  it("offers values of the field, of the last one in a list", () => {
    expect(labels("state:fai")).toEqual(["failed"]);
    expect(complete("state:failed,can", 16, RUNS)).toMatchObject({
      from: 13,
      items: [{ insert: "cancelled " }],
    });
    expect(labels("workflow:or", { workflow: ["orders", "store", "etl"] })).toEqual(["orders", "store"]);
    expect(labels("ended>-1")).toEqual(["-15m", "-1h", "-1d", "-1w"]);
    expect(labels("since:1")).toEqual(["15m", "1h", "1d", "1w"]);
  });

  it("knows that blanks in quotes end nothing", () =>
    expect(complete('workflow:"a b', 13, RUNS, { workflow: ["a b c"] })).toMatchObject({
      from: 9,
      items: [{ insert: '"a b c" ' }],
    }));

  it("replaces the word that the caret is in", () =>
    expect(complete("state:fxx workflow:a", 7, RUNS)).toMatchObject({ from: 6, to: 9 }));

  it("is silent about unknown fields", () => expect(labels("foo:")).toEqual([]));
});

it("values are quoted where they must be", () =>
  expect([quoted("a-b"), quoted("a b"), quoted('x"y')]).toEqual(["a-b", '"a b"', '"x\\"y"']));

describe("states of a query", () => {
  it("are read", () => {
    expect(statesOf("workflow:a state:failed,cancelled")).toEqual(["failed", "cancelled"]);
    expect(statesOf("-state:failed")).toEqual([]);
  });
  it("are changed", () => {
    expect(withStates("workflow:a state:failed x:1", ["running"])).toBe("state:running workflow:a x:1");
    expect(withStates("state:failed", [])).toBe("");
    expect(withStates("", ["failed", "paused"])).toBe("state:failed,paused");
  });
});
