/** One asset: how fresh it is, who updates it, who waits for it, and its updates as far as they are kept. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { ApiError, api, got } from "@/api/client";
import { Copy } from "@/kit/Copy";
import { Facts } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { RunLink } from "@/kit/RunLink";
import { Time } from "@/kit/Time";
import { Json } from "@/kit/Value";
import { countText } from "@/model/time";
import { LineageDrawing } from "./LineageDrawing";
import { assetId, consumersOf, type Lineage, layersAround, producersOf } from "./lineage";

/** Updates shown at once. */
const SHOWN = 50;
/** An asset, the workflows beside it, and the assets beyond them. */
const STEPS = 2;

export function Asset({ name, lineage }: { name: string; lineage: Lineage }): ReactElement {
  const query = useQuery({
    queryKey: ["acts", "asset", name],
    queryFn: async ({ signal }) => {
      try {
        return await got(api.GET("/api/v1/assets/{name}", { params: { path: { name } }, signal }));
      } catch (error) {
        // A trigger may wait for what was never updated.
        if (error instanceof ApiError && error.status === 404 && lineage.nodes.has(assetId(name)))
          return null;
        throw error;
      }
    },
  });
  const layers = useMemo(
    () =>
      lineage.nodes.has(assetId(name))
        ? layersAround(lineage, assetId(name), STEPS)
        : new Map<string, number>(),
    [lineage, name],
  );
  return (
    <Loaded query={query}>
      {(asset) => (
        <>
          {asset?.uri && <Copy text={asset.uri} />}
          {!asset && <p className="muted">It was never updated yet.</p>}
          <Facts
            items={[
              ["Updated", <Time key="a" at={asset?.updated_at} ago />],
              ["That was", <Time key="t" at={asset?.updated_at} />],
              ["Updates", countText(asset?.updates ?? 0)],
              ["By the run", <RunLink key="r" run={asset?.run ?? ""} />],
              ["Updated by", <Workflows key="p" names={producersOf(lineage, name)} />],
              ["Waited for by", <Workflows key="c" names={consumersOf(lineage, name)} />],
            ]}
          />
          {layers.size > 1 && (
            <div>
              <h3>Around it</h3>
              <LineageDrawing lineage={lineage} layers={layers} at={name} />
            </div>
          )}
          {asset && Object.keys(asset.metadata).length > 0 && (
            <div>
              <h3>What its producer says</h3>
              <Json value={asset.metadata} />
            </div>
          )}
          <History name={name} />
        </>
      )}
    </Loaded>
  );
}

function Workflows({ names }: { names: readonly string[] }): ReactElement {
  if (names.length === 0) return <span className="muted">nobody that is known</span>;
  return (
    <>
      {names.map((name) => (
        <div key={name}>
          <Link to="/workflows/$name" params={{ name }} search={{} as never}>
            {name}
          </Link>
        </div>
      ))}
    </>
  );
}

function History({ name }: { name: string }): ReactElement {
  const query = useQuery({
    queryKey: ["acts", "happenings", name],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/happenings", { params: { query: { source: "asset", name, limit: SHOWN } }, signal }),
      ),
  });
  return (
    <div>
      <h3>Updates</h3>
      <Loaded query={query} rows={4}>
        {({ items: updates, next }) => {
          if (updates.length === 0) return <p className="muted">None is kept.</p>;
          return (
            <>
              <ol className="asset-updates">
                {updates.map((each) => (
                  <li key={each.id}>
                    <Time at={each.at} />
                    {each.run ? <RunLink run={each.run} /> : <span>{each.by}</span>}
                  </li>
                ))}
              </ol>
              {next && <p className="muted">More are kept.</p>}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}
