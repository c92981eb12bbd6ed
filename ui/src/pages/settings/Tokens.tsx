import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, got, type Schemas } from "@/api/client";
import { everything } from "@/api/everything";
import { useDenial, useMay } from "@/app/me";
import { useWriting } from "@/app/writing";
import { AllowedButton } from "@/kit/Allowed";
import { type Column, DataTable } from "@/kit/DataTable";
import { finds } from "@/kit/Find";
import { Confirm } from "@/kit/Form";
import { Empty, Panel, Tag } from "@/kit/Page";
import { Loaded } from "@/kit/Problem";
import { Time, useNow } from "@/kit/Time";
import { TokenForm } from "./TokenForm";

type Token = Schemas["TokenView"];

/** What `edit` holds while a token is made. */
const NEW = "/";

interface Search {
  tab?: string | undefined;
  find?: string | undefined;
  at?: string | undefined;
  edit?: string | undefined;
}

/** Tokens of the API: who has which role, made and revoked. */
export function Tokens(search: Search): ReactElement {
  const denial = useDenial("admin");
  const may = useMay("admin");
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState<Token | null>(null);
  const query = useQuery({
    queryKey: ["tokens"],
    queryFn: async () => {
      const all = await everything((page) =>
        got(api.GET("/api/v1/tokens", { params: { query: { limit: 1000, page } } })),
      );
      return all.items.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
    },
    enabled: may,
  });
  const edit = (to?: string): void => void navigate({ to: "/settings", search: { ...search, edit: to } });
  if (denial) return <Empty title="Tokens are for admins">{denial}</Empty>;
  return (
    <>
      <Panel
        title="Tokens"
        flush
        actions={
          <AllowedButton needs="admin" kind="primary" onPress={() => edit(NEW)}>
            New token
          </AllowedButton>
        }
      >
        <Loaded query={query}>
          {(all) => (
            <DataTable
              label="Tokens"
              columns={columns(setDoomed)}
              rows={all.filter((each) => finds(search.find, each.name, each.role))}
              rowKey={(each) => each.id}
              fit={16}
              empty={
                <Empty title="No tokens yet">
                  Whoever is on this machine needs none. Make one for each person and program elsewhere, with
                  no more of a role than they need.
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
      {search.edit === NEW && <TokenForm onClose={() => edit()} />}
      {doomed && <Revoke token={doomed} onClose={() => setDoomed(null)} />}
    </>
  );
}

const columns = (onRevoke: (token: Token) => void): Column<Token>[] => [
  { key: "name", title: "Name", width: "minmax(120px, 2fr)", cell: (each) => each.name },
  { key: "role", title: "Role", width: "100px", cell: (each) => <Tag>{each.role}</Tag> },
  { key: "made", title: "Made", width: "130px", wide: true, cell: (each) => <Time at={each.created_at} /> },
  { key: "by", title: "By", width: "minmax(90px, 1fr)", wide: true, cell: (each) => each.created_by },
  {
    key: "ends",
    title: "Ends",
    width: "150px",
    wide: true,
    cell: (each) => <Ends at={each.expires_at ?? null} />,
  },
  {
    key: "act",
    title: <span className="hidden-label">Actions</span>,
    width: "100px",
    cell: (each) => (
      <AllowedButton needs="admin" kind="quiet" onPress={() => onRevoke(each)}>
        Revoke
      </AllowedButton>
    ),
  },
];

function Ends({ at }: { at: string | null }): ReactElement {
  const now = useNow(at !== null);
  if (at === null) return <span className="muted">never</span>;
  if (Date.parse(at) <= now) return <Tag tone="warning">over</Tag>;
  return <Time at={at} ago />;
}

function Revoke({ token, onClose }: { token: Token; onClose: () => void }): ReactElement {
  const drop = useWriting({
    write: () => got(api.DELETE("/api/v1/tokens/{token}", { params: { path: { token: token.id } } })),
    said: () => `The token ${token.name} is revoked.`,
    stale: ["tokens"],
    done: onClose,
  });
  return (
    <Confirm
      title={`Revoke the token ${token.name}?`}
      deed="Revoke it"
      onClose={onClose}
      onConfirm={() => drop.mutate(undefined)}
      pending={drop.isPending}
      error={drop.error}
    >
      Who uses it is refused within two seconds. It cannot be brought back; make another one.
    </Confirm>
  );
}
