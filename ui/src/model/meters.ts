/** The parts of a bar that shows slots: used, free and waited for, in percent of the whole. */
export function meterParts(
  used: number,
  of: number,
  queued: number,
): { used: number; free: number; queued: number } {
  const free = Math.max(of - used, 0);
  const all = used + free + queued;
  if (all <= 0) return { used: 0, free: 100, queued: 0 };
  return { used: (used / all) * 100, free: (free / all) * 100, queued: (queued / all) * 100 };
}
