import { expect, it } from "vitest";
import { poolRows } from "./capacity";

const pool = (name: string, slots: number) => ({
  name,
  slots,
  description: "",
  changed_at: "2026-01-01T00:00:00Z",
  etag: '"1"',
});

it("pools of the settings stand beside those that people wrote", () => {
  const rows = poolRows(
    [pool("new", 2), pool("db", 8)],
    [
      { kind: "pool", name: "db", slots: 4, used: 3, queued: 1 },
      { kind: "pool", name: "api", slots: 1, used: 0, queued: 0 },
      { kind: "executor", name: "thread", slots: 32, used: 0, queued: 0 },
    ],
  );
  expect(rows.map((each) => [each.name, each.slots, each.used, Boolean(each.pool)])).toEqual([
    ["api", 1, 0, false],
    ["db", 8, 3, true],
    ["new", 2, 0, true],
  ]);
});
