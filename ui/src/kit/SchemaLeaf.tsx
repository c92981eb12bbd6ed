/** The fields of a schema's form that hold one value each. */

import { type ReactElement, useState } from "react";
import { Draft, type Field, same, valuesOf } from "@/model/jsonSchema";
import { Select, Switch, TextField } from "./Field";
import { MomentField } from "./MomentField";

interface Props {
  field: Field;
  label: string;
  required: boolean;
  error: string | undefined;
  value: unknown;
  onChange: (value: unknown) => void;
}

export function Leaf(props: Props): ReactElement {
  const { field, required, value, onChange, error } = props;
  const label = required ? props.label : `${props.label} (optional)`;
  const help = typeof field.schema.description === "string" ? field.schema.description : undefined;
  // Nothing in a field means: left out, or null where that is the way to say so.
  const none = required && field.nullable ? null : undefined;
  const shared = { label, help, error };
  switch (field.kind) {
    case "boolean":
      return required && !field.nullable ? (
        <YesNo {...props} label={props.label} help={help} />
      ) : (
        <OneOf {...shared} values={[true, false]} none={none} optional value={value} onChange={onChange} />
      );
    case "enum":
      return (
        <OneOf
          {...shared}
          values={valuesOf(field.schema)}
          none={none}
          optional={!required || field.nullable}
          value={value}
          onChange={onChange}
        />
      );
    case "number":
    case "integer":
      return (
        <NumberField
          {...shared}
          whole={field.kind === "integer"}
          value={value}
          none={none}
          onChange={onChange}
        />
      );
    case "date-time":
      return (
        <MomentField
          {...shared}
          value={typeof value === "string" ? value : undefined}
          onChange={(next) => onChange(next ?? none)}
        />
      );
    case "json":
      return <JsonField {...shared} value={value} none={none} onChange={onChange} />;
    default:
      return (
        <TextField
          {...shared}
          type={field.kind === "date" || field.kind === "time" ? field.kind : "text"}
          {...(field.kind === "text" ? { lines: 4 } : {})}
          value={typeof value === "string" ? value : ""}
          onChange={(text) => onChange(text === "" ? (required && !field.nullable ? "" : none) : text)}
        />
      );
  }
}

/** The text as it was typed, as long as it still means the value: `1.0` stays, and so do people's spaces. */
function useTyped(
  value: unknown,
  written: (value: unknown) => string,
  read: (text: string) => unknown,
  onChange: (value: unknown) => void,
): [string, (text: string) => void] {
  const [typed, setTyped] = useState({ text: written(value), value });
  const type = (text: string): void => {
    const next = read(text);
    setTyped({ text, value: next });
    onChange(next);
  };
  return [same(typed.value, value) ? typed.text : written(value), type];
}

interface TypedProps {
  label: string;
  help: string | undefined;
  error: string | undefined;
  value: unknown;
  none: null | undefined;
  onChange: (value: unknown) => void;
}

function NumberField({
  value,
  none,
  onChange,
  whole,
  ...rest
}: TypedProps & { whole: boolean }): ReactElement {
  const read = (text: string): unknown => {
    if (text.trim() === "") return none;
    const number = /^[-+\d.eE\s]+$/.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(number) ? number : new Draft(text);
  };
  const [text, type] = useTyped(value, textOf, read, onChange);
  return <TextField {...rest} inputMode={whole ? "numeric" : "decimal"} value={text} onChange={type} />;
}

function YesNo({ label, help, error, value, onChange }: Props & { help: string | undefined }): ReactElement {
  return (
    <div className="field">
      <Switch on={value === true} onChange={onChange}>
        {label}
      </Switch>
      {help && <span className="field-help">{help}</span>}
      {error && <span className="field-error">{error}</span>}
    </div>
  );
}

const NONE = "none";

function OneOf({
  values,
  none,
  optional,
  value,
  onChange,
  ...rest
}: {
  label: string;
  help: string | undefined;
  error: string | undefined;
  values: readonly unknown[];
  none: null | undefined;
  optional: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}): ReactElement {
  const at = values.findIndex((each) => same(each, value));
  const named = values.map((each, index) => [String(index), nameOf(each)] as const);
  return (
    <Select
      {...rest}
      value={at >= 0 ? String(at) : optional ? NONE : null}
      options={optional ? [[NONE, "–"], ...named] : named}
      placeholder="Choose"
      onChange={(key) => onChange(key === NONE ? none : values[Number(key)])}
    />
  );
}

const nameOf = (value: unknown): string =>
  value === true ? "yes" : value === false ? "no" : typeof value === "string" ? value : JSON.stringify(value);

function JsonField({ value, none, onChange, help, ...rest }: TypedProps): ReactElement {
  const read = (text: string): unknown => (text.trim() === "" ? none : parse(text));
  const [text, type] = useTyped(value, textOf, read, onChange);
  const lines = Math.min(Math.max(text.split("\n").length, 3), 14);
  return <TextField {...rest} help={help ?? "JSON"} lines={lines} mono value={text} onChange={type} />;
}

function textOf(value: unknown): string {
  if (value instanceof Draft) return value.text;
  return value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return new Draft(text);
  }
}
