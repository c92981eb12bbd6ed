/** What the parts of a workflow's page share. */

import type { Schemas } from "@/api/client";

export type WorkflowView = Schemas["WorkflowView"];

export interface TabProps {
  workflow: WorkflowView;
}

/** Keys begin so that changes of the workflow's runs make what is below them stale. */
export const workflowKey = (name: string, ...rest: readonly unknown[]): readonly unknown[] => [
  "workflow",
  name,
  ...rest,
];

/** The condition that picks a workflow's runs. */
export const runsOf = (name: string, ...more: readonly (string | undefined)[]): string =>
  [`workflow:${JSON.stringify(name)}`, ...more].filter(Boolean).join(" ");
