/** A few things of which one holds, side by side. */

import type { ReactElement } from "react";
import { type Key, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import "./ChoiceBar.css";

export function ChoiceBar<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}): ReactElement {
  return (
    <ToggleButtonGroup
      className="choice-bar"
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[value]}
      onSelectionChange={(keys: Set<Key>) => {
        const [key] = keys;
        if (key !== undefined) onChange(key as T);
      }}
    >
      {options.map(([key, text]) => (
        <ToggleButton key={key} id={key} className="choice">
          {text}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
