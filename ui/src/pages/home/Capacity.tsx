/** How much may run at once and how much does, the engines that do it, and whether the service is well. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, got, type Schemas } from "@/api/client";
import { Panel } from "@/kit/Page";
import { StateMark } from "@/kit/StateMark";
import { countText } from "@/model/time";

type Slots = Schemas["CapacityView"];

const EVERY_MS = 15_000;

export function Capacity({ capacity }: { capacity: readonly Slots[] }): ReactElement {
  const engines = useQuery({
    queryKey: ["engines"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/engines", { signal })),
    refetchInterval: EVERY_MS,
  });
  const alive = engines.data?.items.filter((each) => each.alive).length;
  return (
    <Panel
      title="Capacity and health"
      actions={
        <span className="home-ways">
          <Link to="/pools">pools</Link>
          <Link to="/health">health</Link>
        </span>
      }
    >
      <Checks engines={alive} />
      <ul className="home-slots">
        {capacity.map((each) => (
          <Line key={`${each.kind} ${each.name}`} slots={each} />
        ))}
      </ul>
    </Panel>
  );
}

function Line({ slots }: { slots: Slots }): ReactElement {
  const share = slots.slots > 0 ? Math.min((100 * slots.used) / slots.slots, 100) : 0;
  return (
    <li>
      <span className="home-slots-name">
        {slots.name} <span className="muted">{slots.kind === "pool" ? "pool" : "slots here"}</span>
      </span>
      <span
        className="home-track"
        role="meter"
        aria-label={`${slots.name}: slots in use`}
        aria-valuemin={0}
        aria-valuemax={Math.max(slots.slots, 1)}
        aria-valuenow={slots.used}
      >
        <i className={share >= 100 ? "home-part-full" : "home-part-used"} style={{ width: `${share}%` }} />
      </span>
      <span className="num">
        {countText(slots.used)} of {countText(slots.slots)}
        {slots.queued > 0 && <span className="home-late"> +{countText(slots.queued)} wait</span>}
      </span>
    </li>
  );
}

type Ready = Schemas["Ready"];

/** A service that is not ready answers with 503, and with what is wrong. */
async function readiness(signal: AbortSignal): Promise<Ready> {
  const answer = await api.GET("/api/v1/ready", { signal });
  const told: unknown = answer.data ?? answer.error;
  if (told && typeof told === "object" && "checks" in told) return told as Ready;
  return got(Promise.resolve(answer));
}

function Checks({ engines }: { engines: number | undefined }): ReactElement {
  const ready = useQuery({
    queryKey: ["ready"],
    queryFn: ({ signal }) => readiness(signal),
    refetchInterval: EVERY_MS,
    retry: false,
  });
  const bad = Object.entries(ready.data?.checks ?? {}).filter(([, text]) => text !== "ok");
  return (
    <ul className="home-checks">
      <li>
        <StateMark state={engines === undefined ? "pending" : engines > 0 ? "succeeded" : "failed"} />
        {engines === undefined ? (
          "Engines"
        ) : engines > 0 ? (
          <Link to="/engines">
            {engines === 1 ? "1 engine is alive" : `${countText(engines)} engines are alive`}
          </Link>
        ) : (
          <span>
            No engine is alive: nothing runs. Start one with <code>weft engine</code>
          </span>
        )}
      </li>
      {bad.map(([name, text]) => (
        <li key={name} className="home-late">
          <StateMark state="failed" />
          {name}: {text}
        </li>
      ))}
      {ready.data && bad.length === 0 && (
        <li>
          <StateMark state="succeeded" />
          {Object.keys(ready.data.checks).join(", ")} are well
        </li>
      )}
      {ready.error && (
        <li className="home-late">
          <StateMark state="lost" />
          {ready.error.message}
        </li>
      )}
    </ul>
  );
}
