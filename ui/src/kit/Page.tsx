/** What every page has: a title, the way back, actions, and a body. */

import type { ReactElement, ReactNode } from "react";
import { useEffect } from "react";
import "./Page.css";

interface PageProps {
  title: string;
  /** Shown instead of the title's text. */
  heading?: ReactNode;
  /** The way here: links, nearest last. */
  trail?: ReactNode[];
  actions?: ReactNode;
  /** What stands below the title: state, times, tags. */
  meta?: ReactNode;
  /** The body fills the window and scrolls inside. */
  full?: boolean;
  /** Shown in the tab in front of the title. */
  sign?: string;
  children: ReactNode;
}

export function Page({
  title,
  heading,
  trail = [],
  actions,
  meta,
  full,
  sign,
  children,
}: PageProps): ReactElement {
  useTitle(sign ? `${sign} ${title}` : title);
  return (
    <div className={full ? "page page-full" : "page"}>
      <header className="page-head">
        <div className="page-title">
          {trail.map((each, at) => (
            <span key={at} className="page-trail">
              {each}
              <span aria-hidden="true"> / </span>
            </span>
          ))}
          <h1>{heading ?? title}</h1>
        </div>
        {actions && <div className="page-actions">{actions}</div>}
        {meta && <div className="page-meta">{meta}</div>}
      </header>
      <div className="page-body">{children}</div>
    </div>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Weft`;
  }, [title]);
}

/** A box with a heading. */
export function Panel({
  title,
  actions,
  children,
  flush = false,
}: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** The content touches the border. */
  flush?: boolean;
}): ReactElement {
  return (
    <section className={flush ? "panel panel-flush" : "panel"}>
      {title && (
        <header className="panel-head">
          <h2>{title}</h2>
          {actions}
        </header>
      )}
      <div className="panel-body">{children}</div>
    </section>
  );
}

/** Names and values. */
export function Facts({ items }: { items: [string, ReactNode][] }): ReactElement {
  return (
    <dl className="facts">
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Says that there is nothing, and what would bring something. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactElement {
  return (
    <div className="empty">
      <svg width="56" height="40" viewBox="0 0 56 40" aria-hidden="true">
        <path d="M4 8c14 0 14 24 24 24S38 8 52 8" />
        <path d="M4 32C18 32 18 8 28 8s10 24 24 24" opacity=".45" />
      </svg>
      <p className="empty-title">{title}</p>
      {children && <div className="empty-text">{children}</div>}
    </div>
  );
}

export function Tag({
  children,
  tone,
}: {
  children: ReactNode;
  tone?: "accent" | "warning" | "danger";
}): ReactElement {
  return <span className={tone ? `tag tag-${tone}` : "tag"}>{children}</span>;
}
