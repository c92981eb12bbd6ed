/** What triggers wait for, in words, and which parts of it have been seen. */

export type Condition = Readonly<Record<string, unknown>>;

const partsOf = (when: Condition): Condition[] =>
  Array.isArray(when.conditions) ? (when.conditions as Condition[]) : [];

export function conditionText(when: Condition): string {
  switch (when.type) {
    case "asset":
      return `${when.asset} is updated`;
    case "run":
      return `a run of ${when.workflow} ${endsText(when.states)}`;
    case "event":
      return `the event ${when.name} is sent`;
    case "file":
      return `a file ${when.pattern} arrives`;
    case "all":
      return partsOf(when).map(nested).join(" and ");
    case "any":
      return partsOf(when).map(nested).join(" or ");
    default:
      return String(when.type);
  }
}

const nested = (when: Condition): string => {
  const text = conditionText(when);
  return when.type === "all" || when.type === "any" ? `(${text})` : text;
};

function endsText(states: unknown): string {
  const names = Array.isArray(states) ? states.map(String) : ["succeeded"];
  return `${names.join(" or ").replace("cancelled", "is cancelled")}`;
}

/** The conditions that hold no others. */
export function leavesOf(when: Condition): Condition[] {
  const parts = partsOf(when);
  return parts.length > 0 ? parts.flatMap(leavesOf) : [when];
}

/** The assets that a condition waits for. */
export const assetsOf = (when: Condition): string[] =>
  leavesOf(when).flatMap((each) => (each.type === "asset" ? [String(each.asset)] : []));

/** Whether what was seen (`source:name`) fits a leaf. */
export function hasSeen(leaf: Condition, seen: readonly string[]): boolean {
  return seen.some((each) => {
    const cut = each.indexOf(":");
    const [source, name] = [each.slice(0, cut), each.slice(cut + 1)];
    if (source !== leaf.type) return false;
    if (leaf.type === "asset") return name === leaf.asset;
    if (leaf.type === "run") return name === leaf.workflow;
    return matches(String(leaf.type === "event" ? leaf.name : leaf.pattern), name);
  });
}

function matches(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(name);
}
