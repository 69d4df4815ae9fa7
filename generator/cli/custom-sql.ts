import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Database, Mesh } from "../model/mesh.js";
import type { Refusal } from "../plan-output.js";
import { findConflictMarker } from "../source/conflict-markers.js";
import { createSourceText } from "../source/text.js";

/** What is wrong with the folders of SQL that databases say; `paths` of generated files are there for the names of migrations. */
export async function refuseCustomSql(mesh: Mesh, paths: readonly string[]): Promise<readonly Refusal[]> {
  if (mesh.databases.every(({ sql }) => sql === undefined)) return [];
  const refusals = mesh.databases.map(async (database) =>
    database.sql === undefined ? [] : await refuseFolder(database, { folder: database.sql, paths }),
  );
  return (await Promise.all(refusals)).flat();
}

async function refuseFolder(
  { name, service }: Database,
  { folder, paths }: { readonly folder: string; readonly paths: readonly string[] },
): Promise<readonly Refusal[]> {
  const path = ["databases", name, "sql"];
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (names === undefined) {
    const hint = `make it beside mesh.yaml, with a first file ${folder}/0001_views.sql, or take "sql" away`;
    return [{ code: "sql-folder", path, message: `there is no folder ${folder}`, hint }];
  }
  // Not needed by a mesh without such a folder, whose runs are quicker without it.
  const { findCustomSqlMistakes, normalizeSql } = await import("@meshwright/runtime");
  const files = names
    .filter((file) => file.endsWith(".sql"))
    .map(async (file) => ({ name: file, text: normalizeSql(await readFile(join(folder, file), "utf8")) }));
  const unsettled = (await Promise.all(files)).flatMap(({ name: file, text }) => {
    const marker = findConflictMarker(text);
    // A line of equals signs alone is a merge's own where its other markers are.
    if (marker === undefined || !text.includes("<<<<<<< ")) return [];
    const { line } = createSourceText(text, file).positionAt(marker.start);
    const message = `${folder}/${file}:${line}: a marker that a merge has left`;
    return [{ code: "sql-file" as const, path, message, hint: "settle the merge" }];
  });
  if (unsettled.length > 0) return unsettled;
  const prefix = `${service}/migrations/`;
  const migrations = paths
    .flatMap((each) => (each.startsWith(prefix) ? [each.slice(prefix.length)] : []))
    .sort();
  return findCustomSqlMistakes(await Promise.all(files), migrations).map(({ file, line, message, hint }) => ({
    code: "sql-file",
    path,
    message: `${folder}/${file}${line === undefined ? "" : `:${line}`}: ${message}`,
    hint,
  }));
}
