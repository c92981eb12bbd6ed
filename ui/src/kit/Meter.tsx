/** How much of something is taken, and how much more is waited for. */

import type { ReactElement } from "react";
import { meterParts } from "@/model/meters";
import "./Meter.css";

interface MeterProps {
  label: string;
  used: number;
  of: number;
  queued?: number;
}

export function Meter({ label, used, of, queued = 0 }: MeterProps): ReactElement {
  const parts = meterParts(used, of, queued);
  const text = `${used} of ${of} used${queued ? `, ${queued} waiting` : ""}`;
  return (
    <div className="meter">
      <div
        className="meter-track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(of, used)}
        aria-valuenow={used}
        aria-valuetext={text}
      >
        <span
          className={used >= of ? "meter-used meter-full" : "meter-used"}
          style={{ width: `${parts.used}%` }}
        />
        <span className="meter-free" style={{ width: `${parts.free}%` }} />
        <span className="meter-queued" style={{ width: `${parts.queued}%` }} />
      </div>
      <span className="meter-text num">{text}</span>
    </div>
  );
}
