import { type ReactElement, type ReactNode, useState } from "react";
import { ApiError } from "@/api/client";
import { useWriting } from "@/app/writing";
import { Select, TextField } from "@/kit/Field";
import { FormDialog } from "@/kit/Form";
import { isObject, parsed, pretty } from "@/model/json";
import { nameProblem } from "@/model/problems";
import { type Definition, type Kind, NOUNS, put } from "./kinds";
import { AUTOMATION_TEMPLATES, CHANNEL_TEMPLATES } from "./templates";
import { restText, thensText, wayText, whenText } from "./words";

interface Props {
  kind: Kind;
  old: Definition | undefined;
  onClose: () => void;
  extra: ReactNode;
}

/** Writes an automation or a channel as JSON, and reads it back as a sentence while it is typed. */
export function DefinitionForm({ kind, old, onClose, extra }: Props): ReactElement {
  const templates = kind === "automations" ? AUTOMATION_TEMPLATES : CHANNEL_TEMPLATES;
  const first = Object.keys(templates)[0] ?? "";
  const [template, setTemplate] = useState(first);
  const [name, setName] = useState(old?.name ?? "");
  const [source, setSource] = useState(pretty(old?.definition ?? templates[first]?.definition ?? {}));
  const [tried, setTried] = useState(false);
  const read = parsed(source);
  const definition = isObject(read.value) ? read.value : undefined;
  const problem = read.problem || (definition ? "" : "This must be a JSON object.");
  const save = useWriting({
    write: () => put(kind, name, definition ?? {}, old?.etag),
    said: () => `The ${NOUNS[kind]} ${name} is written.`,
    stale: [kind],
    done: onClose,
  });
  const refused =
    save.error instanceof ApiError && save.error.status === 422
      ? [save.error.message, save.error.problem.hint].filter(Boolean).join(" · ")
      : "";
  const submit = (): void => {
    setTried(true);
    if (!nameProblem(name) && !problem) save.mutate(undefined);
  };
  return (
    <FormDialog
      title={old ? `The ${NOUNS[kind]} ${old.name}` : `New ${NOUNS[kind]}`}
      onClose={onClose}
      onSubmit={submit}
      submit="Save"
      pending={save.isPending}
      error={refused ? null : save.error}
      needs="editor"
      extra={extra}
      wide
    >
      {!old && (
        <div className="field-row">
          <TextField
            label="Name"
            value={name}
            onChange={setName}
            autoFocus
            error={tried ? nameProblem(name) : ""}
          />
          <Select
            label="Begin with"
            value={template}
            options={Object.entries(templates).map(([key, each]) => [key, each.title] as const)}
            onChange={(key) => {
              setTemplate(key);
              setSource(pretty(templates[key]?.definition ?? {}));
            }}
          />
        </div>
      )}
      <Sentence kind={kind} definition={definition} />
      <TextField
        label="Definition"
        value={source}
        onChange={(value) => {
          setSource(value);
          if (save.error) save.reset();
        }}
        lines={14}
        mono
        error={problem || refused}
        help={
          kind === "automations"
            ? "JSON with when and then; also enabled, cooldown_s, cooldown_per, description."
            : // biome-ignore lint/suspicious/noTemplateCurlyInString: the service puts the secret in
              "JSON with way; also enabled, rate, tries, delay_s. Name secrets as ${secret:NAME}, never write them."
        }
      />
    </FormDialog>
  );
}

export function Sentence({
  kind,
  definition,
}: {
  kind: Kind;
  definition: Record<string, unknown> | undefined;
}): ReactElement {
  if (!definition) return <p className="sentence muted">It will read as a sentence here.</p>;
  if (kind === "channels") return <p className="sentence">Send it to {wayText(definition)}.</p>;
  const rest = restText(definition);
  return (
    <p className="sentence">
      <b>When</b> {whenText(definition.when)}, <b>then</b> {thensText(definition.then)}
      {rest && <span className="muted">, {rest}</span>}.
    </p>
  );
}
