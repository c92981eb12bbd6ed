/** Pictures of 16 by 16, drawn with one pen. */

import type { ReactElement } from "react";

const PATHS = {
  home: "M2.5 7.2L8 2.6l5.5 4.6V13a.8.8 0 0 1-.8.8H9.8V10H6.2v3.8H3.3a.8.8 0 0 1-.8-.8z",
  workflows: "M2.5 3h4v3.4h-4zM9.5 9.6h4V13h-4zM9.5 3h4v3.4h-4zM6.5 4.7h3M11.5 6.4v3.2",
  runs: "M2.5 4h7M4.5 8h9M3.5 12h6",
  schedules: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 5v3.2l2.2 1.4",
  backfills: "M13.4 8A5.4 5.4 0 1 1 11.7 4M13.6 1.8v2.8h-2.8",
  assets: "M8 2l5.4 2.8v6.4L8 14l-5.4-2.8V4.8zM2.6 4.8L8 7.6l5.4-2.8M8 7.6V14",
  approvals: "M3 3.2h10v7.4H8.6L5.6 13v-2.4H3zM5.8 6.8l1.6 1.5 2.8-2.9",
  pools: "M2.4 4.4h11.2v2.8H2.4zM2.4 9.2h11.2V12H2.4zM4.6 5.8h.1M4.6 10.6h.1",
  automations: "M9 1.8L3.6 9H8l-1 5.2L12.4 7H8z",
  config:
    "M3 4.2h6.4M12.4 4.2h.6M3 8h1.4M7.4 8H13M3 11.8h5.4M11.4 11.8H13M9.4 2.8h3v2.8h-3zM4.4 6.6h3v2.8h-3zM8.4 10.4h3v2.8h-3z",
  engines: "M3 2.8h10v4H3zM3 9.2h10v4H3zM5.4 4.8h.1M5.4 11.2h.1M8 4.8h2.6M8 11.2h2.6",
  events: "M2.2 8h2.6l1.8-4.6 2.8 9.2L11.2 8h2.6",
  audit: "M4 2.4h6l2.4 2.4v8.8H4zM6 6.6h4.4M6 9h4.4M6 11.4h2.6",
  settings:
    "M8 5.6a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6L5 5M11 11l1.4 1.4M3.6 12.4L5 11M11 5l1.4-1.4",
  health: "M8 13.4S2.4 10 2.4 6.2A2.9 2.9 0 0 1 8 5a2.9 2.9 0 0 1 5.6 1.2C13.6 10 8 13.4 8 13.4z",
  search: "M7 2.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8zM10.4 10.4l3.2 3.2",
  help: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM6.3 6.4a1.8 1.8 0 1 1 2.4 1.7c-.5.2-.7.5-.7 1m0 2v.1",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1.6v1.4M8 13v1.4M1.6 8H3M13 8h1.4M3.5 3.5l1 1M11.5 11.5l1 1M3.5 12.5l1-1M11.5 4.5l1-1",
  moon: "M13 9.6A5.4 5.4 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6z",
  menu: "M2.6 4.4h10.8M2.6 8h10.8M2.6 11.6h10.8",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.4v7.2M5 6.8l3 3 3-3M3 12.8h10",
  pause: "M5.2 3.2v9.6M10.8 3.2v9.6",
  play: "M5 3.2v9.6l7.6-4.8z",
  diff: "M4.4 2.4v8M4.4 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM11.6 13.6v-8M11.6 5.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2z",
  logs: "M3 3.6h10M3 6.6h7M3 9.6h9M3 12.6h5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactElement {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
