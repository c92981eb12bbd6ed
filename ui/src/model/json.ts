/** JSON as people type it. */

export type Parsed = { value: unknown; problem: "" } | { value: undefined; problem: string };

/** Read JSON, or say in one line what is wrong and where. */
export function parsed(text: string): Parsed {
  try {
    return { value: JSON.parse(text), problem: "" };
  } catch (error) {
    return { value: undefined, problem: `This is no JSON: ${placed(text, error)}` };
  }
}

function placed(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const at = /position (\d+)/.exec(message)?.[1];
  if (at === undefined || message.includes("line ")) return message;
  const before = text.slice(0, Number(at)).split("\n");
  return `${message} (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What people see and edit: texts as they are where that is plain, everything else as JSON. */
export const pretty = (value: unknown): string => JSON.stringify(value, null, 2);
