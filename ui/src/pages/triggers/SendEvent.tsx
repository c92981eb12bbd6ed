/** The form that says that something happened. */

import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got } from "@/api/client";
import { Button } from "@/kit/Button";
import { say } from "@/kit/Dialog";
import { Select, TextField } from "@/kit/Field";
import { ProblemPanel } from "@/kit/Problem";
import { SchemaForm } from "@/kit/SchemaForm";
import { errorsOf } from "@/model/jsonSchema";

const PAYLOAD = {
  title: "Payload",
  description: "JSON. Triggers can hand its parts to their runs.",
} as const;

export function SendEvent({ onSent }: { onSent: (id: string) => void }): ReactElement {
  const queries = useQueryClient();
  const [source, setSource] = useState<"event" | "asset">("event");
  const [name, setName] = useState("");
  const [payload, setPayload] = useState<unknown>(null);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const errors = errorsOf(PAYLOAD, payload ?? null);
  const nameError = name.includes("/") ? "A name has no /" : tried && name === "" ? "This is needed" : "";

  const send = async (): Promise<void> => {
    setTried(true);
    if (name === "" || nameError || Object.keys(errors).length > 0) return;
    setBusy(true);
    setProblem(null);
    try {
      const sent = await got(
        api.POST("/api/v1/happenings", { body: { source, name, payload: payload ?? null } }),
      );
      say(`${name} was sent`);
      await queries.invalidateQueries({ queryKey: ["acts"] });
      onSent(sent.id);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <form
      className="send-event"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <p className="muted">Triggers that wait for it make their runs.</p>
      <Select
        label="What happened"
        value={source}
        options={[
          ["event", "An event"],
          ["asset", "An asset was updated by somebody else"],
        ]}
        onChange={setSource}
      />
      <TextField
        label={source === "event" ? "Name of the event" : "Name of the asset"}
        value={name}
        onChange={setName}
        placeholder={source === "event" ? "parcel.arrived" : "orders"}
        error={nameError}
      />
      <SchemaForm schema={PAYLOAD} value={payload} onChange={setPayload} errors={errors} label="Payload" />
      {problem !== null && <ProblemPanel error={problem} />}
      <div>
        <Button kind="primary" type="submit" isDisabled={busy}>
          Send
        </Button>
      </div>
    </form>
  );
}
