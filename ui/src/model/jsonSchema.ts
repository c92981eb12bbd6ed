/** What of JSON Schema a form needs: which field a schema asks for, what it begins with, what is wrong with a value.
 *
 * The service checks again and knows more; this is there to tell at once. What has no field of its own is
 * written as JSON, so every schema can be answered.
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What somebody has typed that is no value yet: `12,` for a number, `{"a":` for an object. */
export class Draft {
  constructor(readonly text: string) {}
}

/** Messages by path: `""` is the value itself, `day` a property, `rows.0.day` a property of the first row. */
export type Errors = Readonly<Record<string, string>>;

export type Kind =
  | "string"
  | "text"
  | "number"
  | "integer"
  | "boolean"
  | "enum"
  | "choices"
  | "date"
  | "time"
  | "date-time"
  | "array"
  | "object"
  | "json";

export interface Field {
  kind: Kind;
  /** Without references and alternatives. */
  schema: JsonSchema;
  nullable: boolean;
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const schemasOf = (value: unknown): JsonSchema[] => listOf(value).filter(isSchema);

/** Follow references; whatever stands beside one is kept. */
function followed(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let found = schema;
  for (let hops = 0; typeof found.$ref === "string" && hops < 20; hops++) {
    const { $ref, ...beside } = found;
    let at: unknown = root;
    for (const part of ($ref as string).replace(/^#\/?/, "").split("/").filter(Boolean))
      at = isSchema(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
    if (!isSchema(at)) return beside;
    found = { ...at, ...beside };
  }
  return found;
}

/** The schema without references, a lone `allOf`, and a null among its alternatives. */
export function resolved(given: JsonSchema, root: JsonSchema): { schema: JsonSchema; nullable: boolean } {
  let schema = followed(given, root);
  let nullable = false;
  for (let depth = 0; depth < 10; depth++) {
    const whole = schemasOf(schema.allOf);
    if (whole.length === 1) {
      const { allOf: _, ...beside } = schema;
      schema = followed({ ...followed(whole[0]!, root), ...beside }, root);
      continue;
    }
    const name = "anyOf" in schema ? "anyOf" : "oneOf";
    const ways = schemasOf(schema[name]).map((each) => followed(each, root));
    const real = ways.filter((each) => each.type !== "null");
    nullable ||= real.length < ways.length;
    if (real.length !== 1) break;
    const { [name]: _, ...beside } = schema;
    schema = { ...real[0], ...beside };
  }
  const types = listOf(schema.type);
  if (types.includes("null")) {
    const rest = types.filter((each) => each !== "null");
    schema = { ...schema, type: rest.length === 1 ? rest[0] : rest };
    nullable = true;
  }
  return { schema, nullable };
}

/** The values of a schema that names them all. */
export function valuesOf(schema: JsonSchema): readonly unknown[] {
  if ("const" in schema) return [schema.const];
  if (Array.isArray(schema.enum)) return schema.enum as unknown[];
  const ways = schemasOf(schema.oneOf ?? schema.anyOf);
  return ways.length > 0 && ways.every((each) => "const" in each) ? ways.map((each) => each.const) : [];
}

/** Deeper than this, fields become narrower than what stands in them. */
const DEEPEST = 4;

export function fieldOf(given: JsonSchema, root: JsonSchema, depth = 0): Field {
  const { schema, nullable } = resolved(given, root);
  return { kind: kindOf(schema, root, depth), schema, nullable };
}

function kindOf(schema: JsonSchema, root: JsonSchema, depth: number): Kind {
  if (valuesOf(schema).length > 0) return "enum";
  switch (schema.type) {
    case "string":
      if (schema.format === "date" || schema.format === "time" || schema.format === "date-time")
        return schema.format;
      return schema.format === "multiline" || Number(schema.maxLength ?? 0) > 400 ? "text" : "string";
    case "number":
    case "integer":
    case "boolean":
      return schema.type;
    case "array": {
      if (!isSchema(schema.items) || depth >= DEEPEST) return "json";
      const inner = fieldOf(schema.items, root, depth + 1);
      return inner.kind === "enum" && schema.uniqueItems === true ? "choices" : "array";
    }
    case "object":
      return isSchema(schema.properties) && depth < DEEPEST ? "object" : "json";
    default:
      return isSchema(schema.properties) && depth < DEEPEST ? "object" : "json";
  }
}

export function propertiesOf(schema: JsonSchema): [string, JsonSchema][] {
  return isSchema(schema.properties)
    ? Object.entries(schema.properties).filter((each): each is [string, JsonSchema] => isSchema(each[1]))
    : [];
}

export const isRequired = (schema: JsonSchema, name: string): boolean =>
  listOf(schema.required).includes(name);

/** What a form begins with: the default, or the least that has the schema's shape; undefined is "left out". */
export function startOf(given: JsonSchema, root: JsonSchema = given, required = true): unknown {
  const { kind, schema, nullable } = fieldOf(given, root);
  if ("default" in schema) return schema.default;
  if (kind === "object") {
    if (!required) return undefined;
    const filled = propertiesOf(schema).map(
      ([name, each]) => [name, startOf(each, root, isRequired(schema, name))] as const,
    );
    return Object.fromEntries(filled.filter(([, value]) => value !== undefined));
  }
  if (!required) return undefined;
  if (nullable) return null;
  if (kind === "boolean") return false;
  if (kind === "array" || kind === "choices") return [];
  if (kind === "enum" && "const" in schema) return schema.const;
  return undefined;
}

export const pathOf = (path: string, key: string | number): string => (path ? `${path}.${key}` : `${key}`);

/** What is wrong with a value, by path. Nothing found is not yet right: the service has the last word. */
export function errorsOf(given: JsonSchema, value: unknown, root: JsonSchema = given): Errors {
  const found: Record<string, string> = {};
  look(given, value, "", true, 0);
  return found;

  function look(each: JsonSchema, at: unknown, path: string, required: boolean, depth: number): void {
    const { kind, schema, nullable } = fieldOf(each, root, depth);
    const message = wrong(kind, schema, nullable, at, required);
    if (message) found[path] = message;
    else if (kind === "object" && isSchema(at)) {
      for (const [name, inner] of propertiesOf(schema))
        look(inner, at[name], pathOf(path, name), isRequired(schema, name), depth + 1);
    } else if (kind === "array" && Array.isArray(at)) {
      for (const [index, item] of at.entries())
        look(schema.items as JsonSchema, item, pathOf(path, index), true, depth + 1);
    }
  }
}

function wrong(
  kind: Kind,
  schema: JsonSchema,
  nullable: boolean,
  value: unknown,
  required: boolean,
): string | undefined {
  if (value instanceof Draft) return kind === "json" ? "This is not JSON" : wanted(kind);
  if (value === undefined) return required && !nullable ? "This is needed" : undefined;
  if (value === null) return nullable || kind === "json" ? undefined : "This is needed";
  switch (kind) {
    case "number":
    case "integer":
      if (typeof value !== "number" || (kind === "integer" && !Number.isInteger(value))) return wanted(kind);
      return outside(schema, value);
    case "boolean":
      return typeof value === "boolean" ? undefined : wanted(kind);
    case "enum":
      return valuesOf(schema).some((each) => same(each, value)) ? undefined : "Choose one of the values";
    case "array":
    case "choices":
      if (!Array.isArray(value)) return wanted(kind);
      return between(value.length, schema.minItems, schema.maxItems, "entry", "entries");
    case "object":
      return isSchema(value) ? undefined : wanted(kind);
    case "json":
      return undefined;
    default:
      if (typeof value !== "string") return wanted(kind);
      if (kind === "date" && !/^\d{4}-\d\d-\d\d$/.test(value)) return wanted(kind);
      if (kind === "date-time" && Number.isNaN(Date.parse(value))) return wanted(kind);
      return misspelt(schema, value);
  }
}

const WANTED: Partial<Record<Kind, string>> = {
  number: "This must be a number, such as 1.5",
  integer: "This must be a whole number",
  boolean: "This must be yes or no",
  date: "This must be a day, such as 2026-01-31",
  "date-time": "This must be a moment, such as 2026-01-31T08:00:00Z",
  array: "This must be a list",
  choices: "This must be a list",
  object: "This must be an object",
};

const wanted = (kind: Kind): string => WANTED[kind] ?? "This must be text";

function outside(schema: JsonSchema, value: number): string | undefined {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf: step } = schema;
  if (typeof minimum === "number" && value < minimum) return `This must be ${minimum} or more`;
  if (typeof maximum === "number" && value > maximum) return `This must be ${maximum} or less`;
  if (typeof above === "number" && value <= above) return `This must be more than ${above}`;
  if (typeof below === "number" && value >= below) return `This must be less than ${below}`;
  if (typeof step === "number" && Math.abs(value / step - Math.round(value / step)) > 1e-9)
    return `This must be a multiple of ${step}`;
  return undefined;
}

function misspelt(schema: JsonSchema, value: string): string | undefined {
  if (typeof schema.pattern === "string" && !matches(schema.pattern, value))
    return `This must match ${schema.pattern}`;
  if (Number(schema.minLength ?? 0) > 0 && value === "") return "This is needed";
  return between([...value].length, schema.minLength, schema.maxLength, "letter", "letters");
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // A pattern that only the service can read is left to it.
  }
}

function between(
  count: number,
  least: unknown,
  most: unknown,
  one: string,
  many: string,
): string | undefined {
  const word = (size: number): string => `${size} ${size === 1 ? one : many}`;
  if (typeof least === "number" && count < least) return `This needs at least ${word(least)}`;
  if (typeof most === "number" && count > most) return `This may have at most ${word(most)}`;
  return undefined;
}

export const same = (left: unknown, right: unknown): boolean =>
  left === right || JSON.stringify(left) === JSON.stringify(right);

interface Parameter {
  name: string;
  required: boolean;
  schema?: JsonSchema;
  doc?: string;
  fact?: string;
  default?: unknown;
}

/** Characters of a default that a form tells. */
const TOLD = 120;

function leftOut({ fact, default: value }: Parameter): string {
  if (fact) return `Left out, it is the run's ${fact.replaceAll("_", " ")}.`;
  if (value === undefined) return "";
  const text = JSON.stringify(value);
  return `Left out, it is ${text.length > TOLD ? `${text.slice(0, TOLD)}…` : text}.`;
}

/** A workflow's parameters as one schema, so that a form can ask for all of them. */
export function schemaOfParameters(params: readonly Parameter[]): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(
      params.map((each) => {
        const description = [each.doc, leftOut(each)].filter(Boolean).join(" ");
        return [each.name, { ...each.schema, title: each.name, ...(description ? { description } : {}) }];
      }),
    ),
    required: params.filter((each) => each.required).map((each) => each.name),
  };
}
