/** The form of a hook. A secret that is left empty stays as it is. */

import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { Button } from "@/kit/Button";
import { say } from "@/kit/Dialog";
import { Select, TextField } from "@/kit/Field";
import { ProblemPanel } from "@/kit/Problem";
import type { HookView } from "./Hooks";

const SCHEMES: readonly (readonly [Schemas["Scheme"], string])[] = [
  ["weft", "Weft: HMAC of time and body"],
  ["github", "GitHub"],
  ["stripe", "Stripe"],
  ["slack", "Slack"],
  ["token", "Token: the secret in a header"],
];

const SECRET_LEAST = 8;

interface Props {
  hook: HookView | undefined;
  onDone: (name: string) => void;
}

export function HookForm({ hook, onDone }: Props): ReactElement {
  const queries = useQueryClient();
  const [name, setName] = useState(hook?.name ?? "");
  const [scheme, setScheme] = useState<Schemas["Scheme"]>((hook?.scheme as Schemas["Scheme"]) ?? "weft");
  const [secret, setSecret] = useState("");
  const [event, setEvent] = useState(hook?.event ?? "");
  const [description, setDescription] = useState(hook?.description ?? "");
  const [tried, setTried] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const nameError = tried && name === "" ? "This is needed" : "";
  const short = secret.length < SECRET_LEAST && (secret !== "" || !hook);

  const write = async (): Promise<void> => {
    setTried(true);
    if (name === "" || short) return;
    setProblem(null);
    try {
      await got(
        api.PUT("/api/v1/hooks/{name}", {
          params: { path: { name }, header: hook ? { "If-Match": hook.etag } : { "If-None-Match": "*" } },
          body: { scheme, description, event: event || null, secret: secret || null },
        }),
      );
      say(`The hook ${name} is written`);
      await queries.invalidateQueries({ queryKey: ["acts", "hooks"] });
      onDone(name);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <form
      className="send-event"
      onSubmit={(submitted) => {
        submitted.preventDefault();
        void write();
      }}
    >
      {!hook && <TextField label="Name" value={name} onChange={setName} error={nameError} />}
      <Select label="Signed like" value={scheme} options={SCHEMES} onChange={setScheme} />
      <TextField
        label="Secret"
        type="password"
        autoComplete="new-password"
        value={secret}
        onChange={setSecret}
        help={hook ? "Left empty, it stays as it is." : "What its sender knows too. It is never shown again."}
        error={tried && short ? `This needs at least ${SECRET_LEAST} letters` : ""}
      />
      <TextField
        label="Name of the event (optional)"
        value={event}
        onChange={setEvent}
        placeholder={`hook.${name || "name"}`}
      />
      <TextField label="Description (optional)" value={description} onChange={setDescription} lines={2} />
      {problem !== null && <ProblemPanel error={problem} />}
      <div>
        <Button kind="primary" type="submit">
          {hook ? "Write" : "Make"}
        </Button>
      </div>
    </form>
  );
}
