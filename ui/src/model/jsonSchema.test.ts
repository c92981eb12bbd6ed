import { describe, expect, it } from "vitest";
import { Draft, errorsOf, fieldOf, resolved, schemaOfParameters, startOf } from "./jsonSchema";

const kind = (schema: Record<string, unknown>): string => fieldOf(schema, schema).kind;

describe("fields", () => {
  it.each([
    [{ type: "string" }, "string"],
    [{ type: "string", maxLength: 1000 }, "text"],
    [{ type: "string", format: "date" }, "date"],
    [{ type: "string", format: "date-time" }, "date-time"],
    [{ type: "integer" }, "integer"],
    [{ anyOf: [{ type: "number" }, { type: "null" }] }, "number"],
    [{ type: ["boolean", "null"] }, "boolean"],
    [{ enum: ["a", "b"] }, "enum"],
    [{ oneOf: [{ const: 1 }, { const: 2 }] }, "enum"],
    [{ type: "array", items: { type: "string" } }, "array"],
    [{ type: "array", items: { enum: ["a"] }, uniqueItems: true }, "choices"],
    [{ type: "array" }, "json"],
    [{ type: "object", properties: {} }, "object"],
    [{ type: "object", additionalProperties: { type: "string" } }, "json"],
    [{ anyOf: [{ type: "string" }, { type: "number" }] }, "json"],
    [{}, "json"],
  ])("%j is asked for as %s", (schema, expected) => expect(kind(schema)).toBe(expected));

  it("follow references, and keep what stands beside them", () => {
    const root = { $defs: { Day: { type: "string", format: "date" } } };
    expect(resolved({ anyOf: [{ $ref: "#/$defs/Day" }, { type: "null" }], title: "Day" }, root)).toEqual({
      schema: { type: "string", format: "date", title: "Day" },
      nullable: true,
    });
  });

  it("end where a schema holds itself", () => {
    const root = { $ref: "#" };
    expect(fieldOf(root, root).kind).toBe("json");
    const tree = { type: "object", properties: { under: { $ref: "#" } } };
    expect(errorsOf(tree, { under: { under: { under: { under: { under: 1 } } } } })).toEqual({});
    expect(startOf(tree)).toEqual({});
  });
});

describe("what a form begins with", () => {
  it("is the defaults, and nothing for what is left out", () =>
    expect(
      startOf({
        type: "object",
        properties: {
          day: { type: "string" },
          limit: { type: "integer", default: 5 },
          note: { anyOf: [{ type: "string" }, { type: "null" }] },
          sure: { type: "boolean" },
        },
        required: ["day", "note", "sure"],
      }),
    ).toEqual({ limit: 5, note: null, sure: false }));
});

describe("errors", () => {
  const schema = {
    type: "object",
    properties: {
      name: { type: "string", minLength: 2 },
      count: { type: "integer", minimum: 1 },
      rows: {
        type: "array",
        items: { type: "object", properties: { x: { type: "number" } }, required: ["x"] },
      },
      extra: {},
    },
    required: ["name"],
  };

  it("tell where they are", () =>
    expect(
      errorsOf(schema, {
        name: "a",
        count: 0,
        rows: [{ x: 1 }, {}, { x: new Draft("1,") }],
        extra: new Draft("{"),
      }),
    ).toEqual({
      name: "This needs at least 2 letters",
      count: "This must be 1 or more",
      "rows.1.x": "This is needed",
      "rows.2.x": "This must be a number, such as 1.5",
      extra: "This is not JSON",
    }));

  it("are none where nothing is wrong", () => expect(errorsOf(schema, { name: "ab" })).toEqual({}));
});

it("asks for all parameters of a workflow", () =>
  expect(
    schemaOfParameters([
      { name: "day", required: false, schema: { type: "string" }, fact: "logical_date" },
      { name: "n", required: true, schema: { type: "integer" }, doc: "How many." },
      { name: "of", required: false, schema: { type: "string" }, doc: "Which.", default: "all" },
      { name: "no", required: false, schema: {}, default: null },
    ]),
  ).toEqual({
    type: "object",
    properties: {
      day: { type: "string", title: "day", description: "Left out, it is the run's logical date." },
      n: { type: "integer", title: "n", description: "How many." },
      of: { type: "string", title: "of", description: 'Which. Left out, it is "all".' },
      no: { title: "no", description: "Left out, it is null." },
    },
    required: ["n"],
  }));
