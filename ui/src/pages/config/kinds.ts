/** What variables, connections and secrets are read and deleted with. */

import { useQuery } from "@tanstack/react-query";
import { api, got } from "@/api/client";
import { everything } from "@/api/everything";

const paged = (page: string | undefined) => ({ params: { query: { limit: 1000, page } } });

export const useVariables = (on: boolean) =>
  useQuery({
    queryKey: ["variables"],
    queryFn: () => everything((page) => got(api.GET("/api/v1/variables", paged(page)))),
    enabled: on,
  });

export const useConnections = (on: boolean) =>
  useQuery({
    queryKey: ["connections"],
    queryFn: () => everything((page) => got(api.GET("/api/v1/connections", paged(page)))),
    enabled: on,
  });

export const useSecrets = (on: boolean) =>
  useQuery({
    queryKey: ["secrets"],
    queryFn: () => everything((page) => got(api.GET("/api/v1/secrets", paged(page)))),
    enabled: on,
  });

export type Kind = "variables" | "connections" | "secrets";

export const NOUNS: Record<Kind, string> = {
  variables: "variable",
  connections: "connection",
  secrets: "secret",
};

export function remove(kind: Kind, name: string, etag: string): Promise<unknown> {
  const params = { path: { name }, header: { "If-Match": etag } };
  if (kind === "variables") return got(api.DELETE("/api/v1/variables/{name}", { params }));
  if (kind === "connections") return got(api.DELETE("/api/v1/connections/{name}", { params }));
  return got(api.DELETE("/api/v1/secrets/{name}", { params }));
}
