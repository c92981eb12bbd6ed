interface Engine {
  id: number;
  alive: boolean;
}

/** Engines that are alive first, and of each kind the newest first. */
export const inOrder = <T extends Engine>(engines: readonly T[]): T[] =>
  [...engines].sort((a, b) => Number(b.alive) - Number(a.alive) || b.id - a.id);
