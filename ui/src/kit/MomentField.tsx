/** A field for a moment, on the clock that the person chose; its value is in UTC. */

import type { ReactElement, ReactNode } from "react";
import { usePreferences } from "@/app/preferences";
import { fieldText, momentOf } from "@/model/moments";
import { TextField } from "./Field";

interface Props {
  label: string;
  value: string | null | undefined;
  onChange: (value: string | undefined) => void;
  help?: ReactNode;
  error?: string;
  required?: boolean;
}

export function MomentField({ label, value, onChange, help, error, required }: Props): ReactElement {
  const { zone } = usePreferences();
  return (
    <TextField
      type="datetime-local"
      label={`${label} (${zone === "UTC" ? "UTC" : "local time"})`}
      value={fieldText(value, zone)}
      onChange={(text) => onChange(momentOf(text, zone))}
      help={help}
      error={error}
      isRequired={required}
    />
  );
}
