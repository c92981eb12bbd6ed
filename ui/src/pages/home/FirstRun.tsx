/** Before anything is there: the commands from nothing to a first green run. */

import type { ReactElement } from "react";
import { addressOf } from "@/app/base";
import { Copy } from "@/kit/Copy";
import "./FirstRun.css";

export function FirstRun(): ReactElement {
  const steps = [
    ["weft init hello", "writes a first workflow, etl, into the folder hello"],
    ["weft deploy hello", "makes it what this service runs"],
    [`weft --server ${addressOf("").replace(/\/$/, "")} run etl`, "runs it here, and shows it on this page"],
  ] as const;
  return (
    <section className="first" aria-label="First run">
      <h2>Three commands to your first green run</h2>
      <p className="muted">In a terminal on the machine where this service runs:</p>
      <ol className="first-steps">
        {steps.map(([command, what], at) => (
          <li key={command}>
            <span className="first-number num">{at + 1}</span>
            <span className="first-step">
              <Copy text={command} />
              <span className="muted">{what}</span>
            </span>
          </li>
        ))}
      </ol>
      <p className="muted">This page changes by itself as soon as something is there.</p>
    </section>
  );
}
