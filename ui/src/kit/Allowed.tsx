/** Buttons that need a role. Who lacks it still reaches them, and is told why they do nothing. */

import { type ReactElement, useId } from "react";
import type { Schemas } from "@/api/client";
import { useDenial } from "@/app/me";
import { Button, type ButtonProps } from "./Button";

interface AllowedProps extends ButtonProps {
  needs: Schemas["Role"];
}

export function AllowedButton({ needs, ...rest }: AllowedProps): ReactElement {
  const why = useDenial(needs);
  const id = useId();
  if (!why) return <Button {...rest} />;
  return (
    <span title={why}>
      <Button {...rest} isDisabled aria-describedby={id} />
      <span id={id} className="hidden-label">
        {why}
      </span>
    </span>
  );
}

/** Says once for a page what the person's role leaves out. */
export function Denied({ needs }: { needs: Schemas["Role"] }): ReactElement | null {
  const why = useDenial(needs);
  return why ? <p className="muted">You can look, not change. {why}</p> : null;
}
