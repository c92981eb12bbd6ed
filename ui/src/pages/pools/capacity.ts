/** Pools as they are written, together with what is used of them. */

import type { Schemas } from "@/api/client";

type Capacity = Schemas["CapacityView"];
type Pool = Schemas["PoolView"];

export interface PoolRow {
  name: string;
  slots: number;
  used: number;
  queued: number;
  /** What people wrote; without it the pool comes from the service's settings. */
  pool: Pool | undefined;
}

export function poolRows(pools: readonly Pool[], capacity: readonly Capacity[]): PoolRow[] {
  const written = new Map(pools.map((each) => [each.name, each]));
  const rows: PoolRow[] = capacity
    .filter((each) => each.kind === "pool")
    .map(({ name, slots, used, queued }) => ({
      name,
      slots: written.get(name)?.slots ?? slots,
      used,
      queued,
      pool: written.get(name),
    }));
  const told = new Set(rows.map((each) => each.name));
  for (const pool of pools)
    if (!told.has(pool.name)) rows.push({ name: pool.name, slots: pool.slots, used: 0, queued: 0, pool });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}
