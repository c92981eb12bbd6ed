/** What the same task run printed and logged in both runs. */

import type { ReactElement } from "react";
import { useChoice } from "@/app/preferences";
import { DiffView } from "@/kit/DiffView";
import { Switch } from "@/kit/Field";
import { Empty, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { sizeText } from "@/model/time";
import type { TaskPair } from "./compare";
import type { Pair } from "./Diff";
import { TaskPicker } from "./TaskPicker";
import { useChosen } from "./useChosen";
import { LOG_MOST, useLogDiff } from "./useLogDiff";
import { usePairs } from "./useTasks";

export function LogDiff({ a, b }: Pair): ReactElement {
  const pairs = usePairs(a.id, b.id);
  return (
    <Loaded query={pairs} rows={10}>
      {(found) =>
        found.length > 0 ? (
          <TaskLogs a={a.id} b={b.id} pairs={found} />
        ) : (
          <Empty title="Neither run has task runs yet">Logs come with the first of them.</Empty>
        )
      }
    </Loaded>
  );
}

/** A task run that ran in both runs. */
const telling = (pair: TaskPair): boolean => Boolean(pair.a?.attempt && pair.b?.attempt);

function TaskLogs({ a, b, pairs }: { a: string; b: string; pairs: readonly TaskPair[] }): ReactElement {
  const chosen = useChosen(pairs, telling);
  const [times, setTimes] = useChoice("diff.times", false);
  const found = useLogDiff({ run: a, side: chosen.pair?.a }, { run: b, side: chosen.pair?.b }, times);
  return (
    <>
      <div className="versus-tools">
        <TaskPicker {...chosen} value={chosen.pair?.key ?? ""} pairs={pairs} />
        <Switch on={!times} onChange={(ignore) => setTimes(!ignore)}>
          Ignore times and ids
        </Switch>
        {found.data?.cut && (
          <span className="versus-cut">
            The logs have {sizeText(found.data.sizes[0])} and {sizeText(found.data.sizes[1])}: the last{" "}
            {sizeText(LOG_MOST)} of each are compared.
          </span>
        )}
      </div>
      <div className="versus-table">
        <Panel flush>
          <Loaded query={found} rows={12}>
            {(answer) =>
              answer.a.length + answer.b.length === 0 ? (
                <Empty title="No log in either run">This task run printed and logged nothing.</Empty>
              ) : (
                <DiffView
                  key={chosen.pair?.key}
                  label={`Logs of ${chosen.pair?.key}`}
                  a={answer.a}
                  b={answer.b}
                  diff={answer.diff}
                  names={[attemptOf("A", chosen.pair?.a?.attempt), attemptOf("B", chosen.pair?.b?.attempt)]}
                />
              )
            }
          </Loaded>
        </Panel>
      </div>
    </>
  );
}

const attemptOf = (side: string, attempt: number | undefined): string =>
  attempt ? `${side}, attempt ${attempt}` : `${side}, did not run`;
