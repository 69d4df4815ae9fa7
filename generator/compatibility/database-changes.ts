import type { Database } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";
import { isReplaced } from "./database-replaced.js";
import { type Meshes, same } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { compareTables } from "./table-changes.js";
import { compareViews } from "./view-changes.js";

/** Databases that come, go, get another owner or place, with what is in those that stay. */
export function compareDatabases(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  return pairUp(before.databases, next.databases, ({ name }) => name).flatMap(([previous, database]) => {
    const { name, service } = (database ?? previous) as Database;
    const concerns = [{ service, as: "whose it is" }];
    const said = { path: ["databases", name], concerns, parties: { owner: service } };
    if (previous === undefined) return [changeOf("database-added", { ...said, message: `${name} is new` })];
    if (database === undefined && isReplaced(previous, meshes)) return [];
    if (database === undefined)
      return [
        changeOf("database-removed", { ...said, gone: true, message: `${name} is no longer the mesh's` }),
      ];
    return [
      ...(previous.service === service
        ? []
        : [
            changeOf("database-moved", {
              ...said,
              message: `${name} is ${service}'s, no longer ${previous.service}'s`,
            }),
          ]),
      ...(same(previous.shared, database.shared)
        ? []
        : [
            changeOf("mesh-moved", {
              ...said,
              path: [...said.path, ...(database.shared === undefined ? [] : ["shares"])],
              message: `${name} has what the mesh keeps ${keptIn(database)}, no longer ${keptIn(previous)}`,
            }),
          ]),
      ...(previous.sql === database.sql
        ? []
        : [
            changeOf("sql-folder-changed", {
              ...said,
              path: [...said.path, "sql"],
              message: `${name} takes own SQL from ${database.sql ?? "nowhere"}, no longer from ${previous.sql ?? "nowhere"}`,
            }),
          ]),
      ...compareTables({ previous, next: database }, meshes),
      ...compareViews({ previous, next: database }, meshes),
    ];
  });
}

function keptIn({ shared }: Database): string {
  return shared === undefined ? "in schema mesh of its own" : `in schema ${shared.schema} of ${shared.with}`;
}
