/** Which fields of a form the service refused, and why. */

interface Refused {
  fields?: unknown;
}

interface Entry {
  name: string;
  problem: string;
}

const isEntry = (value: unknown): value is Entry =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as Partial<Entry>).name === "string" &&
  typeof (value as Partial<Entry>).problem === "string";

/** Problems by the name of their field; those inside a field belong to it. */
export function fieldProblems(problem: Refused | undefined): Record<string, string> {
  const fields = problem?.fields;
  if (typeof fields !== "object" || fields === null) return {};
  const listed = (fields as { problems?: unknown }).problems;
  if (!Array.isArray(listed)) return {};
  return Object.fromEntries(
    listed.filter(isEntry).map((each) => [each.name.split(/[.[]/)[0] ?? each.name, plainly(each.problem)]),
  );
}

/** The words of the service's reader as people say them. */
export function plainly(problem: string): string {
  const length = /^Expected `str` of length (>=|<=) (\d+)/.exec(problem);
  if (length) return length[1] === ">=" ? "This must not be empty." : `At most ${length[2]} characters.`;
  const bound = /^Expected `(?:int|float)` (>=|<=) (-?[\d.]+)/.exec(problem);
  if (bound) return `${bound[1] === ">=" ? "At least" : "At most"} ${bound[2]}.`;
  if (/^Expected `int`/.test(problem)) return "This must be a whole number.";
  return problem;
}

/** What is wrong with a name that becomes part of an address. */
export function nameProblem(name: string): string {
  if (!name.trim()) return "A name is needed.";
  if (name.length > 250) return "At most 250 characters.";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what names may not have
  return /[\u0000-\u001f\u007f/]/.test(name) ? "No slashes and no control characters." : "";
}
