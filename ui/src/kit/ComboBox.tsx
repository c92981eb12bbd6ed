/** One of many, found by typing. */

import type { ReactElement, ReactNode } from "react";
import {
  ComboBox as AriaComboBox,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Text,
} from "react-aria-components";
import "./ComboBox.css";

interface Props {
  label: string;
  value: string | null;
  options: readonly (readonly [key: string, text: string])[];
  onChange: (value: string | null) => void;
  help?: ReactNode;
  error?: string;
  placeholder?: string;
}

export function ComboBox({ label, value, options, onChange, help, error, placeholder }: Props): ReactElement {
  return (
    <AriaComboBox
      className="field"
      selectedKey={value}
      onSelectionChange={(key) => onChange(key === null ? null : String(key))}
      isInvalid={Boolean(error)}
      defaultItems={options.map(([id, text]) => ({ id, text }))}
      menuTrigger="focus"
    >
      <Label className="field-label">{label}</Label>
      <div className="combo">
        <Input className="input" placeholder={placeholder} spellCheck={false} />
        <Button className="combo-open">
          <span aria-hidden="true">▾</span>
        </Button>
      </div>
      {help && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
      <Popover className="popover combo-list">
        <ListBox<{ id: string; text: string }> className="menu">
          {(each) => (
            <ListBoxItem id={each.id} textValue={each.text} className="menu-item">
              {each.text}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaComboBox>
  );
}
