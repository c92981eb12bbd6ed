import { expect, it } from "vitest";
import { checkFindings, figureFindings } from "./findings";
import { samples } from "./metrics";

it("a check that is not well has a hint", () => {
  const [store, other] = checkFindings({ store: "ok", lease: "lost" });
  expect(store).toMatchObject({ ok: true, hint: "" });
  expect(other?.ok).toBe(false);
  expect(other?.hint).not.toBe("");
});

it("lags and errors are told when they are too large", () => {
  const found = figureFindings(
    samples(
      'weft_scheduler_lag_seconds 60\nweft_http_requests_total{status="500"} 2\nweft_delivery_lag_seconds 0',
    ),
  );
  expect(found.map((each) => [each.name, each.ok])).toEqual([
    ["Schedules", false],
    ["Deliveries", true],
    ["Errors of the service", false],
  ]);
});
