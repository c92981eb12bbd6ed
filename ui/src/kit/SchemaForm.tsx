/** A form made from a JSON Schema: a field for each thing that it asks for, and JSON for what has no field.
 *
 * The value is the caller's. What is typed and no value yet stands in it as a `Draft`, which `errorsOf` tells
 * of, so a caller that sends only values without errors never sends one. Errors are by path (`rows.0.day`).
 */

import { type ReactElement, type ReactNode, useId } from "react";
import {
  type Errors,
  type Field,
  fieldOf,
  isRequired,
  type JsonSchema,
  pathOf,
  propertiesOf,
  same,
  startOf,
  valuesOf,
} from "@/model/jsonSchema";
import { Button, IconButton } from "./Button";
import { Icon } from "./icons";
import { Leaf } from "./SchemaLeaf";
import "./SchemaForm.css";

interface FormProps {
  schema: JsonSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  errors?: Errors;
  /** What a value that is no object is called. */
  label?: string;
}

export function SchemaForm({
  schema,
  value,
  onChange,
  errors = {},
  label = "Value",
}: FormProps): ReactElement {
  const field = fieldOf(schema, schema);
  const shared = { root: schema, errors, path: "", value, onChange };
  return (
    <div className="schema-form">
      {field.kind === "object" ? (
        <Properties {...shared} field={field} depth={0} />
      ) : (
        <Part {...shared} schema={schema} label={titleOf(field.schema, label)} required depth={0} />
      )}
    </div>
  );
}

interface Shared {
  root: JsonSchema;
  errors: Errors;
  path: string;
  value: unknown;
  onChange: (value: unknown) => void;
  depth: number;
}

function Part({
  schema,
  label,
  required,
  ...rest
}: Shared & { schema: JsonSchema; label: string; required: boolean }): ReactElement {
  const field = fieldOf(schema, rest.root, rest.depth);
  const error = rest.errors[rest.path];
  switch (field.kind) {
    case "object":
      return <ObjectPart {...rest} field={field} label={label} required={required} />;
    case "array":
      return <ListPart {...rest} field={field} label={label} />;
    case "choices":
      return <ChoicesPart {...rest} field={field} label={label} />;
    default:
      return (
        <Leaf
          field={field}
          label={label}
          required={required}
          error={error}
          value={rest.value}
          onChange={rest.onChange}
        />
      );
  }
}

function Properties({
  field,
  root,
  errors,
  path,
  value,
  onChange,
  depth,
}: Shared & { field: Field }): ReactElement {
  const now = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return (
    <>
      {propertiesOf(field.schema).map(([name, schema]) => (
        <Part
          key={name}
          root={root}
          errors={errors}
          path={pathOf(path, name)}
          schema={schema}
          label={titleOf(fieldOf(schema, root, depth + 1).schema, name)}
          required={isRequired(field.schema, name)}
          value={now[name]}
          depth={depth + 1}
          onChange={(next) => {
            const { [name]: _, ...others } = now;
            onChange(next === undefined ? others : { ...now, [name]: next });
          }}
        />
      ))}
    </>
  );
}

function ObjectPart({
  label,
  required,
  ...rest
}: Shared & { field: Field; label: string; required: boolean }): ReactElement {
  const { field, value, onChange, root } = rest;
  const there = value !== undefined && value !== null;
  return (
    <Group label={label} schema={field.schema} error={rest.errors[rest.path]}>
      {there && <Properties {...rest} />}
      {!there && (
        <div className="schema-actions">
          <Button onPress={() => onChange(startOf({ ...field.schema, default: {} }, root))}>Fill in</Button>
        </div>
      )}
      {there && (!required || field.nullable) && (
        <div className="schema-actions">
          <Button kind="quiet" onPress={() => onChange(required ? null : undefined)}>
            Leave out
          </Button>
        </div>
      )}
    </Group>
  );
}

function ListPart({ field, label, ...rest }: Shared & { field: Field; label: string }): ReactElement {
  const items = Array.isArray(rest.value) ? (rest.value as unknown[]) : [];
  const schema = field.schema.items as JsonSchema;
  const kind = fieldOf(schema, rest.root, rest.depth + 1).kind;
  const fresh = startOf(schema, rest.root) ?? (kind === "string" || kind === "text" ? "" : undefined);
  return (
    <Group label={label} schema={field.schema} error={rest.errors[rest.path]}>
      {items.map((item, at) => (
        <div key={at} className="schema-item">
          <Part
            {...rest}
            path={pathOf(rest.path, at)}
            schema={schema}
            label={`${label} ${at + 1}`}
            required
            value={item ?? undefined}
            depth={rest.depth + 1}
            onChange={(next) => rest.onChange(items.map((each, index) => (index === at ? next : each)))}
          />
          <IconButton
            label={`Remove ${label} ${at + 1}`}
            onPress={() => rest.onChange(items.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </IconButton>
        </div>
      ))}
      <div className="schema-actions">
        <Button aria-label={`Add to ${label}`} onPress={() => rest.onChange([...items, fresh])}>
          Add
        </Button>
      </div>
    </Group>
  );
}

function ChoicesPart({ field, label, ...rest }: Shared & { field: Field; label: string }): ReactElement {
  const chosen = Array.isArray(rest.value) ? (rest.value as unknown[]) : [];
  const options = valuesOf(fieldOf(field.schema.items as JsonSchema, rest.root).schema);
  return (
    <Group label={label} schema={field.schema} error={rest.errors[rest.path]}>
      <div className="schema-boxes">
        {options.map((each) => (
          <label key={JSON.stringify(each)}>
            <input
              type="checkbox"
              checked={chosen.some((one) => same(one, each))}
              onChange={(event) =>
                // In the schema's order, whatever the order of the clicks.
                rest.onChange(
                  options.filter((one) =>
                    same(one, each) ? event.target.checked : chosen.some((other) => same(other, one)),
                  ),
                )
              }
            />
            {typeof each === "string" ? each : JSON.stringify(each)}
          </label>
        ))}
      </div>
    </Group>
  );
}

function Group({
  label,
  schema,
  error,
  children,
}: {
  label: string;
  schema: JsonSchema;
  error: string | undefined;
  children: ReactNode;
}): ReactElement {
  const id = useId();
  const help = typeof schema.description === "string" ? schema.description : "";
  return (
    <fieldset className="schema-group" aria-describedby={help || error ? id : undefined}>
      <legend>{label}</legend>
      {(help || error) && (
        <div id={id}>
          {help && <p className="field-help">{help}</p>}
          {error && <p className="field-error">{error}</p>}
        </div>
      )}
      {children}
    </fieldset>
  );
}

const titleOf = (schema: JsonSchema, name: string): string =>
  typeof schema.title === "string" && schema.title ? schema.title : name;
