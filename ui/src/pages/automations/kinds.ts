/** Automations and channels are read and written in the same way. */

import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/everything";
import { type Newest, useNewest } from "@/api/newest";
import { replacing } from "@/app/writing";

export type Definition = Schemas["DefinitionView"];
export type Delivery = Schemas["DeliveryView"];
export type Kind = "automations" | "channels";

export const NOUNS: Record<Kind, string> = { automations: "automation", channels: "channel" };

const paged = (page: string | undefined) => ({ params: { query: { limit: 1000, page } } });

export const useDefinitions = (kind: Kind) =>
  useQuery({
    queryKey: [kind],
    queryFn: () =>
      everything((page) =>
        kind === "automations"
          ? got(api.GET("/api/v1/automations", paged(page)))
          : got(api.GET("/api/v1/channels", paged(page))),
      ),
  });

const DELIVERIES_EVERY_MS = 5000;

/** The newest first, as far as they were read. */
export const useDeliveries = (find: string | undefined): Newest<Delivery> =>
  useNewest(
    ["deliveries", find],
    (query, signal) => got(api.GET("/api/v1/deliveries", { params: { query: { ...query, find } }, signal })),
    { everyMs: DELIVERIES_EVERY_MS },
  );

export function put(
  kind: Kind,
  name: string,
  definition: Record<string, unknown>,
  etag: string | undefined,
): Promise<Definition> {
  const options = { params: { path: { name }, header: replacing(etag) }, body: { definition } };
  return kind === "automations"
    ? got(api.PUT("/api/v1/automations/{name}", options))
    : got(api.PUT("/api/v1/channels/{name}", options));
}

export function remove(kind: Kind, { name, etag }: Definition): Promise<unknown> {
  const params = { path: { name }, header: { "If-Match": etag } };
  return kind === "automations"
    ? got(api.DELETE("/api/v1/automations/{name}", { params }))
    : got(api.DELETE("/api/v1/channels/{name}", { params }));
}
