import { expect, it } from "vitest";
import { inOrder } from "./order";

it("who is alive comes first, then who came last", () =>
  expect(
    inOrder([
      { id: 1, alive: false },
      { id: 2, alive: true },
      { id: 3, alive: false },
      { id: 4, alive: true },
    ]).map((each) => each.id),
  ).toEqual([4, 2, 3, 1]));
