import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, got } from "@/api/client";
import { setToken, token } from "@/api/token";
import { addressOf } from "@/app/base";
import { useMe } from "@/app/me";
import { Button } from "@/kit/Button";
import { Copy } from "@/kit/Copy";
import { Facts, Panel } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Time } from "@/kit/Time";
import { ROLE_TEXTS } from "@/model/roles";

/** What runs here, and who one is to it. */
export function About(): ReactElement {
  const version = useQuery({ queryKey: ["version"], queryFn: () => got(api.GET("/api/v1/version")) });
  const status = useQuery({ queryKey: ["status"], queryFn: () => got(api.GET("/api/v1/status")) });
  const me = useMe();
  return (
    <>
      <Panel title="You">
        <Loaded query={me} rows={2}>
          {(who) => (
            <Facts
              items={[
                ["Name", who.name],
                ["Role", `${who.role}: ${ROLE_TEXTS[who.role]}`],
                ["Known by", who.method === "local" ? "being on this machine" : "a token"],
                [
                  "Token in this browser",
                  token() ? (
                    <Button key="forget" onPress={() => setToken("")}>
                      Forget it
                    </Button>
                  ) : (
                    "none"
                  ),
                ],
              ]}
            />
          )}
        </Loaded>
      </Panel>
      <Panel title="The service">
        <Loaded query={version} rows={2}>
          {(what) => (
            <Facts
              items={[
                ["Weft", what.weft],
                ["Python", what.python],
                ["API", what.api.join(", ")],
                ["Its time", status.data ? <Time key="now" at={status.data.now} /> : "–"],
                ["Address", <Copy key="address" text={addressOf("")} />],
              ]}
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}
