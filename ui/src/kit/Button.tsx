/** Things to press: all of them by mouse, touch and keyboard. */

import type { ReactElement, ReactNode } from "react";
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  Tooltip,
  TooltipTrigger,
} from "react-aria-components";
import "./Button.css";

export interface ButtonProps extends Omit<AriaButtonProps, "className" | "children"> {
  kind?: "plain" | "primary" | "danger" | "quiet";
  icon?: ReactNode;
  children?: ReactNode;
}

export function Button({ kind = "plain", icon, children, ...rest }: ButtonProps): ReactElement {
  return (
    <AriaButton {...rest} className={`button button-${kind}`}>
      {icon}
      {children}
    </AriaButton>
  );
}

interface IconButtonProps extends Omit<ButtonProps, "children" | "icon"> {
  label: string;
  children: ReactNode;
}

/** A button that shows a picture only; its label is its tooltip and what readers hear. */
export function IconButton({ label, children, kind = "quiet", ...rest }: IconButtonProps): ReactElement {
  return (
    <TooltipTrigger delay={500}>
      <AriaButton {...rest} aria-label={label} className={`button button-${kind} button-icon`}>
        {children}
      </AriaButton>
      <Tooltip className="tooltip" offset={6}>
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}
