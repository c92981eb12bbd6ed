/** What a person has chosen, kept in the browser and shared by its tabs. */

import { useSyncExternalStore } from "react";
import type { Zone } from "@/model/time";

export interface SavedView {
  name: string;
  where: string;
}

export interface Preferences {
  theme: "system" | "light" | "dark";
  /** Stronger lines and text, beside what the system asks for. */
  contrast: "system" | "more";
  zone: Zone;
  /** When the home page was looked at last: failures since then are new. */
  lookedAt: string | null;
  views: SavedView[];
  /** Small choices of single pages: column sets, open panels, grouping. */
  choices: Record<string, unknown>;
}

const KEY = "weft.preferences";
const DEFAULTS: Preferences = {
  theme: "system",
  contrast: "system",
  zone: "local",
  lookedAt: null,
  views: [],
  choices: {},
};

let current = read();
const listeners = new Set<() => void>();
const dark = matchMedia("(prefers-color-scheme: dark)");

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS;
  }
}

function tell(): void {
  const theme = current.theme === "system" ? (dark.matches ? "dark" : "light") : current.theme;
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.contrast = current.contrast;
  for (const each of listeners) each();
}

addEventListener("storage", (event) => {
  if (event.key === KEY) {
    current = read();
    tell();
  }
});
dark.addEventListener("change", tell);

export const preferences = (): Preferences => current;

export function prefer(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // A browser that keeps nothing still shows everything.
  }
  tell();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const usePreferences = (): Preferences => useSyncExternalStore(subscribe, preferences);

/** A small choice of one page that lasts, with its default. */
export function useChoice<T>(name: string, fallback: T): [T, (value: T) => void] {
  const { choices } = usePreferences();
  const value = name in choices ? (choices[name] as T) : fallback;
  return [value, (next) => prefer({ choices: { ...preferences().choices, [name]: next } })];
}

/** The theme as it is shown now; canvases draw anew when it changes. */
export const useTheme = (): string =>
  useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme ?? "light");
