/** Assets and workflows in layers: boxes that are links, so the keyboard goes through them as well. */

import { Link } from "@tanstack/react-router";
import { type ReactElement, useEffect, useMemo, useRef } from "react";
import { Icon } from "@/kit/icons";
import { assetId, BOX, type Box, drawn, type Lineage } from "./lineage";

interface Props {
  lineage: Lineage;
  layers: ReadonlyMap<string, number>;
  /** The asset that is looked at. */
  at: string | undefined;
}

export function LineageDrawing({ lineage, layers, at }: Props): ReactElement {
  const { boxes, links, width, height } = useMemo(() => drawn(lineage, layers), [lineage, layers]);
  const view = useRef<HTMLElement>(null);
  const centre = boxes.find((each) => at !== undefined && each.id === assetId(at));
  const [x, y] = [centre?.x, centre?.y];
  useEffect(() => {
    const element = view.current;
    if (!element || x === undefined || y === undefined) return;
    element.scrollLeft = x + BOX.width / 2 - element.clientWidth / 2;
    element.scrollTop = y + BOX.height / 2 - element.clientHeight / 2;
  }, [x, y]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="lineage" aria-label="Lineage" tabIndex={0} ref={view}>
      <div className="lineage-sheet" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {links.map((each) => (
            <path key={each.id} d={each.path} />
          ))}
        </svg>
        {boxes.map((each) => (
          <Node key={each.id} box={each} current={at !== undefined && each.id === assetId(at)} />
        ))}
      </div>
    </section>
  );
}

function Node({ box, current }: { box: Box; current: boolean }): ReactElement {
  const style = { left: box.x, top: box.y, width: BOX.width, height: BOX.height };
  const content = (
    <>
      <Icon name={box.kind === "asset" ? "assets" : "workflows"} size={14} />
      <span className="hidden-label">{box.kind}</span>
      <span className="lineage-name">{box.name}</span>
      {box.hidden > 0 && (
        <span className="lineage-more" title={`${box.hidden} more beside it`}>
          +{box.hidden}
        </span>
      )}
    </>
  );
  const shared = {
    className: `lineage-box lineage-${box.kind}`,
    style,
    title: box.name,
    preload: false,
  } as const;
  return box.kind === "asset" ? (
    <Link
      {...shared}
      to="/assets"
      search={(old: Record<string, unknown>) => ({ ...old, at: box.name })}
      aria-current={current || undefined}
    >
      {content}
    </Link>
  ) : (
    <Link {...shared} to="/workflows/$name" params={{ name: box.name }} search={{} as never}>
      {content}
    </Link>
  );
}
