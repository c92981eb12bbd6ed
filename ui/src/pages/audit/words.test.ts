import { expect, it } from "vitest";
import { operationText, outcomeOf, subjectText } from "./words";

it("tells what a request was about", () => {
  expect(operationText("put_pool")).toBe("put pool");
  expect(subjectText("/weft/api/v1/pools/a%20b")).toBe("pools/a b");
  expect(subjectText("/api/v1/pools/%E0%A4%A")).toBe("pools/%E0%A4%A");
});

it("tells what became of it", () => {
  expect([201, 403, 503].map(outcomeOf)).toEqual(["done", "refused", "failed"]);
});
