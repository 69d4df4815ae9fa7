import { columnsFilledBy } from "../flow/filling.js";
import type { Shown } from "../flow/flow.js";
import type { Column } from "../model/mesh.js";
import type { Concern } from "./change.js";
import type { TableAbout } from "./column-change.js";
import type { Meshes } from "./meshes.js";
import { findNarrowing } from "./narrowing.js";

/** The columns of copies that releases of before keep, and that do not take what the owner's takes from now on. `column`: as it was. */
export function narrowerCopies(
  { name }: Column,
  { pair, database, meshes }: TableAbout,
  takes: (copy: Column) => boolean,
): readonly Concern[] {
  const flow = meshes.flows.before;
  const at = { database: database.previous.name, table: pair.previous.name, column: name };
  return flow
    .fieldsShowing({ kind: "column", ...at })
    .filter(({ field }) => field.source?.kind === "column")
    .filter((shown) => !isRetyped(shown, meshes))
    .flatMap(({ event, path }) =>
      flow.hearersOf(event.name).flatMap((hearer) =>
        columnsFilledBy(flow, hearer, { event: event.name, field: path }).flatMap(({ column: kept }) => {
          const copy = flow.table(kept).columns.find((each) => each.name === kept.column);
          return copy === undefined || takes(copy)
            ? []
            : [
                {
                  service: hearer.service.name,
                  field: `${kept.table}.${kept.column}`,
                  as: "keeps it, and does not take what is new yet",
                },
              ];
        }),
      ),
    );
}

/** No release before takes the field, whatever its copy holds. */
function isRetyped({ event, path, field: { schema } }: Shown, { next }: Meshes): boolean {
  const now = next.events.find(({ name }) => name === event.name)?.payload.find(({ name }) => name === path);
  return (
    now !== undefined &&
    findNarrowing(schema, now.schema) !== undefined &&
    findNarrowing(now.schema, schema) !== undefined
  );
}
