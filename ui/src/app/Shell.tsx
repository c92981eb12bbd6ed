/** What stands around every page: navigation, the bar, the palette, messages, and whether the service answers. */

import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { type ReactElement, useEffect, useState, useSyncExternalStore } from "react";
import { IconButton } from "@/kit/Button";
import { Toasts } from "@/kit/Dialog";
import { Icon } from "@/kit/icons";
import { linkState, onLink } from "@/live/live";
import { Help } from "./Help";
import { Palette } from "./Palette";
import { PLACES } from "./places";
import { prefer, usePreferences, useTheme } from "./preferences";
import { SignIn } from "./SignIn";
import { type Overlay, useShortcuts } from "./shortcuts";
import "./Shell.css";

export function Shell(): ReactElement {
  const [overlay, setOverlay] = useState<Overlay>(null);
  const [navOpen, setNavOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useShortcuts(overlay, setOverlay);
  // biome-ignore lint/correctness/useExhaustiveDependencies: going anywhere closes the navigation
  useEffect(() => setNavOpen(false), [path]);
  return (
    <div className="shell" data-nav={navOpen || undefined}>
      <a className="skip" href="#content">
        Skip to the page
      </a>
      <aside className="nav">
        <Link to="/" className="nav-brand">
          <Mark />
          Weft
        </Link>
        <nav aria-label="Places">
          {PLACES.map((group) => (
            <ul key={group[0]!.to}>
              {group.map((place) => (
                <li key={place.to}>
                  <Link
                    to={place.to}
                    className="nav-link"
                    activeOptions={{ exact: place.to === "/", includeSearch: false }}
                  >
                    <Icon name={place.icon} />
                    {place.name}
                  </Link>
                </li>
              ))}
            </ul>
          ))}
        </nav>
      </aside>
      <div className="bar">
        <span className="bar-menu">
          <IconButton label="Places" onPress={() => setNavOpen(!navOpen)} aria-expanded={navOpen}>
            <Icon name={navOpen ? "close" : "menu"} />
          </IconButton>
        </span>
        <button type="button" className="bar-search" onClick={() => setOverlay("palette")}>
          <Icon name="search" size={14} />
          <span>Search or do anything</span>
          <kbd>⌘K</kbd>
        </button>
        <span className="bar-end">
          <ZoneToggle />
          <ThemeToggle />
          <IconButton label="Keyboard shortcuts" onPress={() => setOverlay("help")}>
            <Icon name="help" />
          </IconButton>
        </span>
      </div>
      <LinkBanner />
      <main id="content" className="content" tabIndex={-1}>
        <Outlet />
      </main>
      <Palette open={overlay === "palette"} onClose={() => setOverlay(null)} />
      <Help open={overlay === "help"} onClose={() => setOverlay(null)} />
      <SignIn />
      <Toasts />
    </div>
  );
}

const Mark = (): ReactElement => (
  <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="var(--accent)" />
    <g fill="none" stroke="var(--on-accent)" strokeWidth="3" strokeLinecap="round">
      <path d="M6 11c5 0 5 10 10 10s5-10 10-10" />
      <path d="M6 21c5 0 5-10 10-10s5 10 10 10" opacity=".55" />
    </g>
  </svg>
);

function ZoneToggle(): ReactElement {
  const { zone } = usePreferences();
  const other = zone === "UTC" ? "local" : "UTC";
  return (
    <IconButton label={`Times are ${zone}; show ${other}`} onPress={() => prefer({ zone: other })}>
      <span className="bar-zone">{zone === "UTC" ? "UTC" : "local"}</span>
    </IconButton>
  );
}

function ThemeToggle(): ReactElement {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <IconButton label={`Use the ${other} theme`} onPress={() => prefer({ theme: other })}>
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </IconButton>
  );
}

/** How long the service may be silent before somebody is told. */
const PATIENCE_MS = 1500;

function LinkBanner(): ReactElement | null {
  const link = useSyncExternalStore(onLink, linkState);
  const [told, setTold] = useState(false);
  useEffect(() => {
    if (link.up) {
      setTold(false);
      return;
    }
    const timer = setTimeout(() => setTold(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [link.up]);
  if (!told || link.status === 401 || link.status === 403) return null;
  return (
    <div className="banner" role="alert">
      The service does not answer. What you see is from before; it goes on by itself when the service is back.
    </div>
  );
}
