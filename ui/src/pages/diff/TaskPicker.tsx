/** Chooses the task run that is compared, by its key, which both runs share. */

import { type ReactElement, useMemo } from "react";
import { ComboBox, Input, Label, ListBox, ListBoxItem, Popover } from "react-aria-components";
import type { TaskPair } from "./compare";

/** Keys that are offered at once; typing finds the others. */
const OFFERED = 100;

export function TaskPicker({
  pairs,
  value,
  onChange,
  find,
  onFind,
}: {
  pairs: readonly TaskPair[];
  value: string;
  onChange: (key: string) => void;
  find: string;
  onFind: (text: string) => void;
}): ReactElement {
  const items = useMemo(() => {
    const wanted = find === value ? "" : find.toLowerCase();
    const found: TaskPair[] = [];
    for (const pair of pairs) {
      if (pair.key.toLowerCase().includes(wanted)) found.push(pair);
      if (found.length === OFFERED) break;
    }
    return found;
  }, [pairs, find, value]);
  return (
    <ComboBox
      className="field versus-task"
      aria-label="Task run"
      items={items}
      inputValue={find}
      onInputChange={onFind}
      onSelectionChange={(key) => {
        if (key === null) return;
        onChange(String(key));
        onFind(String(key));
      }}
      menuTrigger="focus"
      allowsCustomValue
    >
      <Label className="hidden-label">Task run</Label>
      <Input className="input mono" placeholder="Find a task run by key" />
      <Popover className="popover">
        <ListBox<TaskPair> className="menu versus-menu">
          {(pair) => (
            <ListBoxItem id={pair.key} textValue={pair.key} className="menu-item">
              <code>{pair.key}</code>
              <span className="menu-hint">{!pair.a ? "only in B" : !pair.b ? "only in A" : ""}</span>
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
