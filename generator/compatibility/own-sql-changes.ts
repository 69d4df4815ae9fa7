import type { Database } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";

/** The files of a folder of own SQL, by name: what they say is not read. */
export function compareSqlFolders(
  { name, service, sql }: Pick<Database, "name" | "service" | "sql">,
  before: ReadonlyMap<string, string>,
  next: ReadonlyMap<string, string>,
): readonly Change[] {
  const differing = [...new Set([...before.keys(), ...next.keys()])]
    .filter((file) => file.endsWith(".sql") && before.get(file) !== next.get(file))
    .sort();
  if (differing.length === 0) return [];
  const said = differing.map((file) => {
    const how = !before.has(file) ? "is new" : next.has(file) ? "has changed" : "is gone";
    return `${file} ${how}`;
  });
  return [
    changeOf("sql-folder-changed", {
      path: ["databases", name, "sql"],
      message: `${name}: in ${sql}, ${said.join(", ")}`,
      concerns: [{ service, as: "whose it is" }],
      parties: { owner: service },
    }),
  ];
}
