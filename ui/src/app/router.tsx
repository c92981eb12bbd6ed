/** Which address shows which page. Pages are loaded when they are first gone to. */

import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type SearchSchemaInput,
} from "@tanstack/react-router";
import { ProblemPanel } from "@/kit/Problem";
import { BASE_PATH } from "./base";
import { Missing } from "./Missing";
import { Shell } from "./Shell";
import { number, text, whole } from "./search";

/** So typed, links need not name what they leave out. */
type Raw = Record<string, unknown> & SearchSchemaInput;

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Shell,
  notFoundComponent: Missing,
});
const under = { getParentRoute: () => root } as const;

const home = createRoute({
  ...under,
  path: "/",
  component: lazyRouteComponent(() => import("@/pages/home/Home")),
});
const workflows = createRoute({
  ...under,
  path: "/workflows",
  validateSearch: (raw: Raw) => ({
    find: text(raw, "find"),
    show: text(raw, "show"),
    tag: text(raw, "tag"),
    project: text(raw, "project"),
    dialect: text(raw, "dialect"),
    /** A column's key, with `-` before it for the greatest first. */
    sort: text(raw, "sort"),
  }),
  component: lazyRouteComponent(() => import("@/pages/workflows/Workflows")),
});
const workflow = createRoute({
  ...under,
  path: "/workflows/$name",
  validateSearch: (raw: Raw) => ({
    tab: text(raw, "tab"),
    version: whole(raw, "version"),
    against: whole(raw, "against"),
    task: text(raw, "task"),
    day: text(raw, "day"),
    start: text(raw, "start"),
    /** The run before which the grid ends; without it the newest runs are shown. */
    before: text(raw, "before"),
    /** Groups of the grid that are folded. */
    fold: text(raw, "fold"),
    where: text(raw, "where"),
    file: text(raw, "file"),
  }),
  component: lazyRouteComponent(() => import("@/pages/workflow/Workflow")),
});
const runs = createRoute({
  ...under,
  path: "/runs",
  validateSearch: (raw: Raw) => ({ where: text(raw, "where") }),
  component: lazyRouteComponent(() => import("@/pages/runs/Runs")),
});
const run = createRoute({
  ...under,
  path: "/runs/$run",
  validateSearch: (raw: Raw) => ({
    tab: text(raw, "tab"),
    /** Index of the task run that is shown beside. */
    task: whole(raw, "task"),
    /** Conditions for the table and the timeline. */
    where: text(raw, "where"),
    rows: text(raw, "rows"),
    /** The part of the time that is zoomed to, ms after the run's start. */
    from: number(raw, "from"),
    to: number(raw, "to"),
    group: text(raw, "group"),
  }),
  component: lazyRouteComponent(() => import("@/pages/run/RunPage")),
});
const task = createRoute({
  ...under,
  path: "/runs/$run/tasks/$idx",
  validateSearch: (raw: Raw) => ({
    tab: text(raw, "tab"),
    attempt: whole(raw, "attempt"),
    /** A line of the log, from 1, and the last one of a marked range. */
    line: whole(raw, "line"),
    end: whole(raw, "end"),
    find: text(raw, "find"),
    regex: text(raw, "regex"),
    level: text(raw, "level"),
  }),
  component: lazyRouteComponent(() => import("@/pages/task/TaskPage")),
});
const diff = createRoute({
  ...under,
  path: "/diff",
  validateSearch: (raw: Raw) => ({
    a: text(raw, "a"),
    b: text(raw, "b"),
    tab: text(raw, "tab"),
    find: text(raw, "find"),
    /** Whether what is the same is shown too. */
    same: text(raw, "same"),
    sort: text(raw, "sort"),
    /** Key of the task run, or path of the file, whose difference is shown. */
    at: text(raw, "at"),
  }),
  component: lazyRouteComponent(() => import("@/pages/diff/Diff")),
});

/** A page that has a list, a chosen thing beside it, and tabs. */
interface Listing {
  tab?: string | undefined;
  find?: string | undefined;
  at?: string | undefined;
  edit?: string | undefined;
}

const listing = (raw: Raw): Listing => ({
  tab: text(raw, "tab"),
  find: text(raw, "find"),
  at: text(raw, "at"),
  edit: text(raw, "edit"),
});

const schedules = createRoute({
  ...under,
  path: "/schedules",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/schedules/Schedules")),
});
const backfills = createRoute({
  ...under,
  path: "/backfills",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/backfills/Backfills")),
});
const triggers = createRoute({
  ...under,
  path: "/triggers",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/triggers/Triggers")),
});
const assets = createRoute({
  ...under,
  path: "/assets",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/assets/Assets")),
});
const approvals = createRoute({
  ...under,
  path: "/approvals",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/approvals/Approvals")),
});
const pools = createRoute({
  ...under,
  path: "/pools",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/pools/Pools")),
});
const automations = createRoute({
  ...under,
  path: "/automations",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/automations/Automations")),
});
const config = createRoute({
  ...under,
  path: "/config",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/config/Config")),
});
const engines = createRoute({
  ...under,
  path: "/engines",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/engines/Engines")),
});
const audit = createRoute({
  ...under,
  path: "/audit",
  validateSearch: (raw: Raw) => ({
    ...listing(raw),
    who: text(raw, "who"),
    outcome: text(raw, "outcome"),
    since: text(raw, "since"),
  }),
  component: lazyRouteComponent(() => import("@/pages/audit/Audit")),
});
const settings = createRoute({
  ...under,
  path: "/settings",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/settings/Settings")),
});
const health = createRoute({
  ...under,
  path: "/health",
  validateSearch: listing,
  component: lazyRouteComponent(() => import("@/pages/health/Health")),
});

const tree = root.addChildren([
  home,
  workflows,
  workflow,
  runs,
  run,
  task,
  diff,
  schedules,
  backfills,
  triggers,
  assets,
  approvals,
  pools,
  automations,
  config,
  engines,
  audit,
  settings,
  health,
]);

export const makeRouter = (queries: QueryClient) =>
  createRouter({
    routeTree: tree,
    basepath: BASE_PATH,
    context: { queries },
    defaultPreload: "intent",
    defaultErrorComponent: ({ error, reset }) => <ProblemPanel error={error} again={reset} />,
    scrollRestoration: true,
    scrollToTopSelectors: ["#content"],
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
