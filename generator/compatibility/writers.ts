import type { Mesh, Table } from "../model/mesh.js";
import { type ChangeKind, type Concern, changeKinds } from "./change.js";
import type { KindFacts } from "./change-class.js";
import { httpReadersOf } from "./readers.js";

/** Who notices over HTTP: of what is demanded of rows, those that write them, else those that read them. */
export function noticedOverHttp(
  kind: ChangeKind,
  table: Table,
  [owner, mesh]: readonly [string, Mesh],
): readonly Concern[] {
  const { noticedBy }: KindFacts = changeKinds[kind];
  return noticedBy === "writers" || noticedBy === "replicas and writers"
    ? writersOf(table, owner, mesh)
    : httpReadersOf(table, owner, mesh);
}

export function writersOf(table: Table, owner: string, { services, calls }: Mesh): readonly Concern[] {
  const resources = services.find(({ name }) => name === owner)?.http?.resources ?? [];
  const written = resources.filter((resource) => resource.table === table.name && !resource.readonly);
  return written.flatMap(({ path }) => [
    ...calls
      .filter(
        ({ callee, grants }) =>
          callee === owner && grants.some((grant) => grant.path === path && grant.verbs.some(writes)),
      )
      .map(({ caller }) => ({ service: caller, field: path, as: "writes to it" })),
    { service: owner, field: path, as: "HTTP clients that write to it" },
  ]);
}

function writes(verb: Mesh["calls"][number]["grants"][number]["verbs"][number]): boolean {
  return verb !== "get" && verb !== "delete";
}
