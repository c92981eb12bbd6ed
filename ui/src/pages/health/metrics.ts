/** The service's counters, read from the text that Prometheus reads too. */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function samples(text: string): Sample[] {
  const found: Sample[] = [];
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (!match?.[1] || match[3] === undefined) continue;
    const labels: Record<string, string> = {};
    for (const [, key, value] of (match[2] ?? "").matchAll(LABEL))
      if (key && value !== undefined) labels[key] = value.replace(/\\(.)/g, "$1");
    found.push({ name: match[1], labels, value: Number(match[3]) });
  }
  return found;
}

/** The sum of all samples of a name that keep to a condition; undefined if there is none. */
export function total(
  all: readonly Sample[],
  name: string,
  keep: (labels: Record<string, string>) => boolean = () => true,
): number | undefined {
  const some = all.filter((each) => each.name === name && keep(each.labels));
  return some.length > 0 ? some.reduce((sum, each) => sum + each.value, 0) : undefined;
}

/** A quantile of a histogram, over all its labels, as the bound of the bucket that holds it. */
export function quantile(all: readonly Sample[], name: string, share: number): number | undefined {
  const buckets = new Map<number, number>();
  for (const each of all) {
    if (each.name !== `${name}_bucket`) continue;
    const bound = each.labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(each.labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + each.value);
  }
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const count = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
  if (count === 0) return undefined;
  return bounds.find((bound) => (buckets.get(bound) ?? 0) >= share * count);
}
