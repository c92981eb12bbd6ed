/** One question, its form, and the two answers. */

import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { api, got } from "@/api/client";
import { isTyping } from "@/app/shortcuts";
import { Button } from "@/kit/Button";
import { say } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { Markdown } from "@/kit/Markdown";
import { Tag } from "@/kit/Page";
import { ProblemPanel } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { SchemaForm } from "@/kit/SchemaForm";
import { Time, useNow } from "@/kit/Time";
import { type Errors, errorsOf, startOf } from "@/model/jsonSchema";
import { agoText } from "@/model/time";
import { type ApprovalView, mayAnswer } from "./queue";
import "./Approval.css";

interface Props {
  approval: ApprovalView;
  me: string | undefined;
  onDone: () => void;
}

export function Approval({ approval, me, onDone }: Props): ReactElement {
  const queries = useQueryClient();
  const asks = Object.keys(approval.form).length > 0;
  const [input, setInput] = useState<unknown>(() => (asks ? startOf(approval.form) : undefined));
  const [comment, setComment] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const body = useRef<HTMLElement>(null);
  const jumping = useRef(Number.NEGATIVE_INFINITY);
  const errors: Errors = asks ? errorsOf(approval.form, input) : {};
  const allowed = me === undefined || mayAnswer(approval, me);

  const answer = useCallback(
    async (approved: boolean): Promise<void> => {
      setProblem(null);
      const wrong = Object.keys(errors).length > 0;
      // Who rejects need not fill in what the form wants; half an answer is not sent along.
      if (approved && wrong) {
        setTried(true);
        requestAnimationFrame(() =>
          body.current
            ?.querySelector<HTMLElement>("[data-invalid] input, input[data-invalid], [data-invalid] button")
            ?.focus(),
        );
        return;
      }
      setBusy(true);
      try {
        await got(
          api.POST("/api/v1/runs/{run}/tasks/{idx}/answer", {
            params: { path: { run: approval.run, idx: approval.idx } },
            body: { approved, comment, ...(asks && !wrong ? { input } : {}) },
          }),
        );
        say(`${approval.workflow}: ${approved ? "approved" : "rejected"}`);
        onDone();
        // The engine that owns the run does it a moment later, which the live stream tells; this is for its absence.
        setTimeout(() => void queries.invalidateQueries({ queryKey: ["approvals"] }), 700);
      } catch (error) {
        setProblem(error);
        setBusy(false);
      }
    },
    [approval, asks, comment, errors, input, onDone, queries],
  );

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || event.repeat || isTyping(event.target)) return;
      if (event.defaultPrevented || document.querySelector("[role=dialog], [role=listbox]")) return;
      // `g a` and `g r` go to other pages, and must never answer.
      if (event.key === "g") jumping.current = performance.now();
      if (performance.now() - jumping.current < JUMP_MS) return;
      if (busy || !allowed || (event.key !== "a" && event.key !== "r")) return;
      event.preventDefault();
      void answer(event.key === "a");
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [answer, busy, allowed]);

  return (
    <section className="approval" aria-label={`Question of ${approval.workflow}`} ref={body}>
      <header className="approval-head">
        <span>
          <Link to="/workflows/$name" params={{ name: approval.workflow }} search={{} as never}>
            {approval.workflow}
          </Link>{" "}
          <RunLink run={approval.run} />{" "}
          <Link
            to="/runs/$run/tasks/$idx"
            params={{ run: approval.run, idx: String(approval.idx) }}
            search={{} as never}
          >
            <code>{approval.key}</code>
          </Link>
        </span>
        <span className="muted">
          waits since <Time at={approval.since} />
        </span>
        {approval.due_at && <Deadline at={approval.due_at} otherwise={approval.default} />}
      </header>
      <Markdown text={approval.prompt || "*A question without words.*"} />
      {asks && (
        <SchemaForm
          schema={approval.form}
          value={input}
          onChange={setInput}
          errors={tried ? errors : {}}
          label="Answer"
        />
      )}
      <TextField label="Comment (optional)" value={comment} onChange={setComment} lines={2} />
      {problem !== null && <ProblemPanel error={problem} />}
      <footer className="approval-acts">
        <Button kind="primary" isDisabled={busy || !allowed} onPress={() => void answer(true)}>
          Approve <kbd>a</kbd>
        </Button>
        <Button kind="danger" isDisabled={busy || !allowed} onPress={() => void answer(false)}>
          Reject <kbd>r</kbd>
        </Button>
        <span className="muted">
          {approval.assignees.length === 0
            ? "Anyone may answer"
            : `${approval.assignees.join(", ")} may answer${allowed ? "" : `; you are ${me}`}`}
        </span>
      </footer>
    </section>
  );
}

const JUMP_MS = 1200;
const SOON_MS = 3_600_000;

/** How long is left, and what counts when it is over. */
export function Deadline({ at, otherwise }: { at: string; otherwise: string }): ReactElement {
  const now = useNow();
  const left = Date.parse(at) - now;
  const text = left > 0 ? `${otherwise}s ${agoText(new Date(at), now)}` : `${otherwise}s now`;
  return <Tag tone={left < SOON_MS ? "danger" : left < 24 * SOON_MS ? "warning" : undefined}>{text}</Tag>;
}
