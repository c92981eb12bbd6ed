import { expect, it } from "vitest";
import { meterParts } from "./meters";

it("a bar holds what is used, free and waited for", () => {
  expect(meterParts(1, 4, 0)).toEqual({ used: 25, free: 75, queued: 0 });
  expect(meterParts(4, 4, 4)).toEqual({ used: 50, free: 0, queued: 50 });
  expect(meterParts(6, 4, 0)).toEqual({ used: 100, free: 0, queued: 0 });
  expect(meterParts(0, 0, 0)).toEqual({ used: 0, free: 100, queued: 0 });
});
