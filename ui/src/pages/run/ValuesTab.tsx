/** What a run was given, what came of it, and the facts that its tasks could read. */

import type { ReactElement } from "react";
import type { RunDetail, ValueView } from "@/api/client";
import { Copy } from "@/kit/Copy";
import { Facts, Panel } from "@/kit/Page";
import { RunLink } from "@/kit/RunLink";
import { Json, Value } from "@/kit/Value";

export function ValuesTab({ run }: { run: RunDetail }): ReactElement {
  return (
    <div className="run-values">
      <Panel title="Parameters">
        <Named values={run.params ?? {}} none="It was given none." />
      </Panel>
      <Panel title="Result">
        <Value value={run.result} />
      </Panel>
      <Panel title="Facts">
        {Object.keys(run.facts ?? {}).length > 0 ? (
          <Json value={run.facts} />
        ) : (
          <p className="muted">There are none.</p>
        )}
      </Panel>
      <Panel title="Where it belongs">
        <Facts
          items={[
            ["Id", <Copy key="id" text={run.id} />],
            ["Idempotency key", run.key ?? "–"],
            ["Started by", run.parent_run ? <RunLink key="parent" run={run.parent_run} /> : "–"],
            ["Queue", run.queue || "default"],
            ["Written as", run.dialect],
            ["Graph", <code key="graph">{run.graph?.slice(0, 12)}</code>],
          ]}
        />
      </Panel>
    </div>
  );
}

function Named({ values, none }: { values: Record<string, ValueView>; none: string }): ReactElement {
  const names = Object.keys(values);
  if (names.length === 0) return <p className="muted">{none}</p>;
  return <Facts items={names.map((name) => [name, <Value key={name} value={values[name]} />])} />;
}
