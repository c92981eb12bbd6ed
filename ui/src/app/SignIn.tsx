/** Asks for a token where the service wants one. */

import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState, useSyncExternalStore } from "react";
import { setToken, token } from "@/api/token";
import { Button } from "@/kit/Button";
import { Dialog, DialogActions } from "@/kit/Dialog";
import { TextField } from "@/kit/Field";
import { linkState, onLink } from "@/live/live";

export function SignIn(): ReactElement {
  const link = useSyncExternalStore(onLink, linkState);
  const queries = useQueryClient();
  const [text, setText] = useState("");
  const enter = (): void => {
    setToken(text.trim());
    setText("");
    void queries.invalidateQueries();
  };
  return (
    <Dialog
      title="This service asks who you are"
      open={!link.up && link.status === 401}
      onClose={() => undefined}
    >
      <form
        className="sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          enter();
        }}
      >
        <TextField
          label="API token"
          type="password"
          autoFocus
          mono
          value={text}
          onChange={setText}
          help="An administrator makes one with `weft tokens create`. It stays in this browser."
          error={token() && !text ? "the service does not take the token that was given" : ""}
        />
        <DialogActions>
          <Button kind="primary" type="submit" isDisabled={text.trim() === ""}>
            Sign in
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
