import type { ReactElement } from "react";
import { Dialog } from "@/kit/Dialog";
import { SHORTCUTS } from "./shortcuts";
import "./Help.css";

export function Help({ open, onClose }: { open: boolean; onClose: () => void }): ReactElement {
  return (
    <Dialog title="Keyboard shortcuts" open={open} onClose={onClose} wide>
      <dl className="shortcuts">
        {SHORTCUTS.map((each) => (
          <div key={each.keys}>
            <dt>
              {each.keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{each.what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
