import { sqlType } from "../migrations/sql-types.js";
import type { Column, Database, View } from "../model/mesh.js";
import { type Change, type ChangeKind, changeOf } from "./change.js";
import type { Pair } from "./former-names.js";
import { type Meshes, same } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { httpReadersOf, partiesOf } from "./readers.js";

/** What is read of views over HTTP: what makes them is not the mesh's. */
export function compareViews(database: Pair<Database>, meshes: Meshes): readonly Change[] {
  const about = { database: database.next, meshes };
  return pairUp(database.previous.views, database.next.views, ({ name }) => name).flatMap(([old, now]) => {
    if (now === undefined)
      return old === undefined
        ? []
        : [viewChange("view-narrowed", { ...about, view: old, gone: true, says: "is no longer read" })];
    if (old === undefined) return [viewChange("view-widened", { ...about, view: now, says: "is new" })];
    return [...compareView(old, now, about), ...compareColumns(old, now, about)];
  });
}

interface About {
  readonly database: Database;
  readonly meshes: Meshes;
}

interface Says extends About {
  readonly view: View;
  readonly says: string;
  readonly column?: string;
  /** What is gone stands in the older file alone. */
  readonly gone?: true;
}

function viewChange(kind: ChangeKind, { database, meshes, view, says, column, gone }: Says): Change {
  const owner = database.service;
  const mesh = gone ? meshes.before : meshes.next;
  const concerns = kind === "view-widened" ? [] : httpReadersOf(view, owner, mesh);
  return changeOf(kind, {
    path: [
      "databases",
      database.name,
      "views",
      view.name,
      ...(column === undefined ? [] : ["columns", column]),
    ],
    gone,
    message: `${database.name}: ${view.name} ${says}`,
    concerns,
    parties: partiesOf(owner, concerns, mesh),
  });
}

function compareView(old: View, now: View, about: About): readonly Change[] {
  const change = (says: string) => viewChange("view-changed", { ...about, view: now, says });
  return [
    ...(same(old.key, now.key)
      ? []
      : [change(`has the key ${now.key.join(", ")}, no longer ${old.key.join(", ")}`)]),
    ...(same(old.at, now.at) ? [] : [change("is another view of PostgreSQL")]),
  ];
}

function compareColumns(old: View, now: View, about: About): readonly Change[] {
  return pairUp(old.columns, now.columns, ({ name }) => name).flatMap(([was, is]) => {
    const change = (kind: ChangeKind, { name }: Column, says: string) =>
      viewChange(kind, { ...about, view: now, column: name, says });
    if (is === undefined) {
      if (was === undefined) return [];
      const says = `no longer has ${was.name}`;
      return [viewChange("view-narrowed", { ...about, view: old, column: was.name, gone: true, says })];
    }
    if (was === undefined) return [change("view-widened", is, `has ${is.name}`)];
    if (was.private !== is.private)
      return [
        is.private
          ? change("view-narrowed", is, `no longer shows ${is.name}`)
          : change("view-widened", is, `shows ${is.name}`),
      ];
    const differs = differences(was, is);
    if (differs.length > 0) return [change("view-changed", is, `has ${is.name} ${differs.join("; ")}`)];
    return was.nullable && !is.nullable
      ? [change("view-widened", is, `has ${is.name}, which is never NULL now`)]
      : [];
  });
}

/** That a value is always there surprises nobody. */
function differences(was: Column, is: Column): readonly string[] {
  const [from, to] = [sqlType(was.type), sqlType(is.type)];
  const [shown, shows] = [was.shown ?? was.name, is.shown ?? is.name];
  return [
    ...(from === to && was.wide === is.wide ? [] : [`as ${said(to, is)}, no longer as ${said(from, was)}`]),
    ...(is.nullable && !was.nullable ? ["that may be NULL"] : []),
    ...(shown === shows ? [] : [`shown as ${shows}, no longer as ${shown}`]),
  ];
}

function said(type: string, { wide }: Column): string {
  return wide ? `${type} in strings` : type;
}
