/** Fields of forms. */

import type { ReactElement, ReactNode } from "react";
import {
  Select as AriaSelect,
  Switch as AriaSwitch,
  TextField as AriaTextField,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
  TextArea,
  type TextFieldProps,
} from "react-aria-components";
import "./Field.css";

interface FieldProps extends Omit<TextFieldProps, "className" | "children"> {
  label: string;
  help?: ReactNode;
  error?: string;
  lines?: number;
  placeholder?: string;
  mono?: boolean;
  /** The label is for readers only. */
  bare?: boolean;
}

export function TextField({
  label,
  help,
  error,
  lines,
  placeholder,
  mono,
  bare,
  ...rest
}: FieldProps): ReactElement {
  const style = mono ? "input mono" : "input";
  return (
    <AriaTextField {...rest} className="field" isInvalid={Boolean(error)}>
      <Label className={bare ? "hidden-label" : "field-label"}>{label}</Label>
      {lines ? (
        <TextArea className={style} rows={lines} placeholder={placeholder} spellCheck={false} />
      ) : (
        <Input className={style} placeholder={placeholder} spellCheck={false} />
      )}
      {help && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </AriaTextField>
  );
}

export function Select<T extends string>({
  label,
  value,
  options,
  onChange,
  bare = false,
  help,
  error,
  placeholder,
}: {
  label: string;
  /** Nothing chosen yet is null. */
  value: T | null;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
  bare?: boolean;
  help?: ReactNode;
  error?: string;
  placeholder?: string;
}): ReactElement {
  return (
    <AriaSelect
      className="field"
      selectedKey={value}
      onSelectionChange={(key) => onChange(key as T)}
      isInvalid={Boolean(error)}
      placeholder={placeholder}
    >
      <Label className={bare ? "hidden-label" : "field-label"}>{label}</Label>
      <Button className="button select">
        <SelectValue />
        <span aria-hidden="true">▾</span>
      </Button>
      {help && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
      <Popover className="popover">
        <ListBox className="menu">
          {options.map(([key, text]) => (
            <ListBoxItem key={key} id={key} textValue={text} className="menu-item">
              {text}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export function Switch({
  children,
  on,
  onChange,
  disabled = false,
  label,
}: {
  children?: ReactNode;
  on: boolean;
  onChange: (on: boolean) => void;
  disabled?: boolean;
  /** For readers, where there is no text beside it. */
  label?: string;
}): ReactElement {
  return (
    <AriaSwitch
      className="switch"
      isSelected={on}
      onChange={onChange}
      isDisabled={disabled}
      aria-label={label}
    >
      <span className="switch-track" aria-hidden="true" />
      {children}
    </AriaSwitch>
  );
}
