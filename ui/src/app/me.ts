/** Who asks, and what their role lets them do. */

import { useQuery } from "@tanstack/react-query";
import { api, got, type Schemas } from "@/api/client";
import { allows, denial } from "@/model/roles";

export type Me = Schemas["Me"];

export const useMe = () =>
  useQuery({ queryKey: ["me"], queryFn: () => got(api.GET("/api/v1/me")), staleTime: 60_000 });

/** Why the person may not do what needs a role; nothing if they may, or while that is not known. */
export function useDenial(needed: Schemas["Role"]): string | undefined {
  const me = useMe().data;
  return !me || allows(me.role, needed) ? undefined : denial(me.role, needed);
}

/** Whether the person certainly may: what is read only with a role waits for that. */
export function useMay(needed: Schemas["Role"]): boolean {
  const me = useMe().data;
  return me !== undefined && allows(me.role, needed);
}
