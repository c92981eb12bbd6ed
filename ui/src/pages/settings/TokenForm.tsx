import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, got } from "@/api/client";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { Select, TextField } from "@/kit/Field";
import { FormDialog, problemsOf } from "@/kit/Form";
import { ROLE_TEXTS, ROLES, type Role } from "@/model/roles";

const DAYS: readonly (readonly [string, string])[] = [
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["never", "Never"],
];

const DAY_MS = 86_400_000;

/** Makes a token, and tells its text once. */
export function TokenForm({ onClose }: { onClose: () => void }): ReactElement {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [days, setDays] = useState("90");
  const make = useMutation({
    mutationFn: () =>
      got(
        api.POST("/api/v1/tokens", {
          body: {
            name,
            role,
            expires_at: days === "never" ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString(),
          },
        }),
      ),
    onSuccess: () => void client.invalidateQueries({ queryKey: ["tokens"] }),
  });
  if (make.data)
    return (
      <Dialog title={`The token ${make.data.name}`} open onClose={onClose}>
        <p>Copy it now: it is not kept here and never shown again.</p>
        <div className="settings-secret">
          <Copy text={make.data.token} />
        </div>
        <p className="muted">
          Programs send it as <code>Authorization: Bearer …</code>; the command line takes it from{" "}
          <code>WEFT_TOKEN</code>.
        </p>
        <DialogActions>
          <Button kind="primary" onPress={onClose}>
            I have it
          </Button>
        </DialogActions>
      </Dialog>
    );
  return (
    <FormDialog
      title="New token"
      onClose={onClose}
      onSubmit={() => make.mutate()}
      submit="Make it"
      pending={make.isPending}
      error={make.error}
      needs="admin"
      fields={["name"]}
    >
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        autoFocus
        error={problemsOf(make.error).name}
        help="Whose it is; the audit log calls them so."
      />
      <Select
        label="Role"
        value={role}
        options={ROLES.map((each) => [each, `${each}: ${ROLE_TEXTS[each]}`] as const)}
        onChange={setRole}
      />
      <Select label="Ends" value={days} options={DAYS} onChange={setDays} />
    </FormDialog>
  );
}
