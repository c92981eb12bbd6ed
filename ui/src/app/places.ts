/** The places that the navigation, the palette and the `g` jumps lead to. */

import type { IconName } from "@/kit/icons";

export interface Place {
  to: string;
  name: string;
  icon: IconName;
  /** The key after `g`. */
  key: string;
}

export const PLACES: readonly (readonly Place[])[] = [
  [
    { to: "/", name: "Home", icon: "home", key: "h" },
    { to: "/workflows", name: "Workflows", icon: "workflows", key: "w" },
    { to: "/runs", name: "Runs", icon: "runs", key: "r" },
  ],
  [
    { to: "/schedules", name: "Schedules", icon: "schedules", key: "s" },
    { to: "/triggers", name: "Triggers", icon: "events", key: "t" },
    { to: "/backfills", name: "Backfills", icon: "backfills", key: "b" },
    { to: "/assets", name: "Assets", icon: "assets", key: "a" },
    { to: "/approvals", name: "Approvals", icon: "approvals", key: "p" },
  ],
  [
    { to: "/pools", name: "Pools and limits", icon: "pools", key: "l" },
    { to: "/automations", name: "Automations", icon: "automations", key: "m" },
    { to: "/config", name: "Variables and secrets", icon: "config", key: "v" },
    { to: "/engines", name: "Engines", icon: "engines", key: "e" },
  ],
  [
    { to: "/audit", name: "Audit", icon: "audit", key: "u" },
    { to: "/health", name: "Health", icon: "health", key: "i" },
    { to: "/settings", name: "Settings", icon: "settings", key: "," },
  ],
];

export const ALL_PLACES = PLACES.flat();
