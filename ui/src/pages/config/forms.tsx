/** The dialogs that write a variable, a connection or a secret. */

import { type ReactElement, type ReactNode, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { replacing, useWriting } from "@/app/writing";
import { TextField } from "@/kit/Field";
import { FormDialog, problemsOf } from "@/kit/Form";
import { isObject, parsed, pretty } from "@/model/json";
import { nameProblem } from "@/model/problems";

interface Props<T> {
  /** What is changed; without it a new one is made. */
  old: T | undefined;
  onClose: () => void;
  extra: ReactNode;
}

const NAME_HELP = "Code asks for it by this name.";

export function VariableForm({ old, onClose, extra }: Props<Schemas["VariableView"]>): ReactElement {
  const [name, setName] = useState(old?.name ?? "");
  const [value, setValue] = useState(old ? pretty(old.value) : '""');
  const [description, setDescription] = useState(old?.description ?? "");
  const [tried, setTried] = useState(false);
  const read = parsed(value);
  const save = useWriting({
    write: () =>
      got(
        api.PUT("/api/v1/variables/{name}", {
          params: { path: { name }, header: replacing(old?.etag) },
          body: { value: read.value, description },
        }),
      ),
    said: () => `Variable ${name} is written.`,
    stale: ["variables"],
    done: onClose,
  });
  const refused = problemsOf(save.error);
  const submit = (): void => {
    setTried(true);
    if (!nameProblem(name) && !read.problem) save.mutate(undefined);
  };
  return (
    <FormDialog
      title={old ? `Variable ${old.name}` : "New variable"}
      onClose={onClose}
      onSubmit={submit}
      submit="Save"
      pending={save.isPending}
      error={save.error}
      needs="editor"
      fields={["value", "description"]}
      extra={extra}
    >
      {!old && (
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          autoFocus
          error={tried ? nameProblem(name) : ""}
          help={NAME_HELP}
        />
      )}
      <TextField
        label="Value"
        value={value}
        onChange={setValue}
        lines={6}
        mono
        error={(tried ? read.problem : "") || refused.value}
        help="JSON: a text in quotes, a number, a list, an object. Everybody who looks sees it."
      />
      <TextField
        label="Description"
        value={description}
        onChange={setDescription}
        lines={2}
        error={refused.description}
      />
    </FormDialog>
  );
}

export function SecretForm({ old, onClose, extra }: Props<Schemas["SecretView"]>): ReactElement {
  const [name, setName] = useState(old?.name ?? "");
  const [value, setValue] = useState("");
  const [description, setDescription] = useState(old?.description ?? "");
  const [tried, setTried] = useState(false);
  const save = useWriting({
    write: () =>
      got(
        api.PUT("/api/v1/secrets/{name}", {
          params: { path: { name }, header: replacing(old?.etag) },
          body: { value, description },
        }),
      ),
    said: () => `Secret ${name} is ${old ? "replaced" : "stored"}.`,
    stale: ["secrets"],
    done: onClose,
  });
  const refused = problemsOf(save.error);
  const empty = value ? "" : "A value is needed.";
  const submit = (): void => {
    setTried(true);
    if (!nameProblem(name) && !empty) save.mutate(undefined);
  };
  return (
    <FormDialog
      title={old ? `Replace the secret ${old.name}` : "New secret"}
      onClose={onClose}
      onSubmit={submit}
      submit={old ? "Replace" : "Store"}
      pending={save.isPending}
      error={save.error}
      needs="editor"
      fields={["value", "description"]}
      extra={extra}
    >
      {!old && (
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          autoFocus
          error={tried ? nameProblem(name) : ""}
          help={NAME_HELP}
        />
      )}
      <TextField
        label="Value"
        type="password"
        autoComplete="new-password"
        value={value}
        onChange={setValue}
        autoFocus={Boolean(old)}
        error={(tried ? empty : "") || refused.value}
        help="It is sealed as it is stored and never shown again, here or anywhere."
      />
      <TextField
        label="Description"
        value={description}
        onChange={setDescription}
        lines={2}
        error={refused.description}
      />
    </FormDialog>
  );
}

export function ConnectionForm({ old, onClose, extra }: Props<Schemas["ConnectionView"]>): ReactElement {
  const [name, setName] = useState(old?.name ?? "");
  const [draft, setDraft] = useState({
    type: old?.type ?? "",
    host: old?.host ?? "",
    port: old?.port ? String(old.port) : "",
    path: old?.path ?? "",
    login: old?.login ?? "",
    extra: pretty(old?.extra ?? {}),
    description: old?.description ?? "",
  });
  /** Null keeps the one that is there. */
  const [password, setPassword] = useState<string | null>(old ? null : "");
  const [tried, setTried] = useState(false);
  const put = (key: keyof typeof draft) => (value: string) => setDraft({ ...draft, [key]: value });
  const more = parsed(draft.extra || "{}");
  const wrong = {
    name: nameProblem(name),
    type: draft.type.trim() ? "" : "A type is needed.",
    port: draft.port === "" || /^\d{1,5}$/.test(draft.port) ? "" : "A number from 1 to 65535, or nothing.",
    extra: more.problem || (isObject(more.value) ? "" : "This must be a JSON object."),
  };
  const save = useWriting({
    write: () =>
      got(
        api.PUT("/api/v1/connections/{name}", {
          params: { path: { name }, header: replacing(old?.etag) },
          body: {
            ...draft,
            port: draft.port ? Number(draft.port) : null,
            password,
            extra: isObject(more.value) ? more.value : {},
          },
        }),
      ),
    said: () => `Connection ${name} is written.`,
    stale: ["connections"],
    done: onClose,
  });
  const refused = problemsOf(save.error);
  const submit = (): void => {
    setTried(true);
    if (!Object.values(wrong).some(Boolean)) save.mutate(undefined);
  };
  const shown = (key: keyof typeof wrong): string => (tried ? wrong[key] : "") || (refused[key] ?? "");
  return (
    <FormDialog
      title={old ? `Connection ${old.name}` : "New connection"}
      onClose={onClose}
      onSubmit={submit}
      submit="Save"
      pending={save.isPending}
      error={save.error}
      needs="editor"
      fields={[...Object.keys(draft), "password"]}
      extra={extra}
    >
      <div className="field-row">
        {!old && <TextField label="Name" value={name} onChange={setName} autoFocus error={shown("name")} />}
        <TextField
          label="Type"
          value={draft.type}
          onChange={put("type")}
          placeholder="postgres, http, s3"
          error={shown("type")}
        />
      </div>
      <div className="field-row">
        <TextField label="Host" value={draft.host} onChange={put("host")} error={refused.host} />
        <TextField
          label="Port"
          value={draft.port}
          onChange={put("port")}
          inputMode="numeric"
          error={shown("port")}
        />
      </div>
      <TextField
        label="Path"
        value={draft.path}
        onChange={put("path")}
        placeholder="database, bucket or base path"
        error={refused.path}
      />
      <div className="field-row">
        <TextField
          label="Login"
          value={draft.login}
          onChange={put("login")}
          autoComplete="off"
          error={refused.login}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete="new-password"
          value={password ?? ""}
          onChange={(value) => setPassword(old && !value ? null : value)}
          placeholder={old?.has_password ? "stays as it is" : ""}
          help={old?.has_password ? "Never shown. Leave it empty to keep it." : "Never shown again."}
          error={refused.password}
        />
      </div>
      <TextField
        label="More"
        value={draft.extra}
        onChange={put("extra")}
        lines={3}
        mono
        error={shown("extra")}
        help="A JSON object with whatever else its type needs; nothing secret."
      />
      <TextField
        label="Description"
        value={draft.description}
        onChange={put("description")}
        error={refused.description}
      />
    </FormDialog>
  );
}
