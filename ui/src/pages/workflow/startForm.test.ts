import { expect, test } from "vitest";
import { ApiError } from "@/api/client";
import { fieldErrors, sentOf, tagsOf } from "./startForm";

const refusal = (fields: Record<string, string>): ApiError =>
  new ApiError({
    type: "urn:weft:error:W1201",
    title: "Unprocessable Entity",
    status: 422,
    detail: "rows must be a whole number",
    code: "W1201",
    hint: "",
    fields: fields as Record<string, never>,
  });

test("what was left out is not sent, but null, false and zero are", () => {
  expect(sentOf({ a: undefined, b: "", c: null, d: false, e: 0 })).toEqual({ c: null, d: false, e: 0 });
});

test("tags are cut at commas and there once", () => {
  expect(tagsOf(" a, b c,,a ")).toEqual(["a", "b c"]);
});

test("a refusal stands at the field that it names, if the form has it", () => {
  expect(fieldErrors(refusal({ parameter: "rows" }), [{ name: "rows" }])).toEqual({
    rows: "rows must be a whole number",
  });
  expect(fieldErrors(refusal({ parameter: "other" }), [{ name: "rows" }])).toEqual({});
  expect(fieldErrors(new Error("no"), [{ name: "rows" }])).toEqual({});
});
