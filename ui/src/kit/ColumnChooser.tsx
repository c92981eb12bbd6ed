/** Which columns a table shows. */

import type { ReactElement } from "react";
import { Dialog, DialogTrigger, Popover } from "react-aria-components";
import { Button } from "./Button";
import "./ColumnChooser.css";

export function ColumnChooser({
  columns,
  shown,
  onChange,
}: {
  /** Keys and titles in the table's order. */
  columns: readonly (readonly [key: string, title: string])[];
  shown: readonly string[];
  onChange: (shown: string[]) => void;
}): ReactElement {
  const toggle = (key: string): void =>
    onChange(columns.map(([each]) => each).filter((each) => (each === key) !== shown.includes(each)));
  return (
    <DialogTrigger>
      <Button>Columns</Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="columns" aria-label="Columns">
          {columns.map(([key, title]) => (
            <label key={key} className="columns-one">
              <input type="checkbox" checked={shown.includes(key)} onChange={() => toggle(key)} />
              {title}
            </label>
          ))}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
