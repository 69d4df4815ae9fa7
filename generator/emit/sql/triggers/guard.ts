import { kindOf } from "@meshwright/runtime/column-types";
import type { Mesh, Table } from "../../../model/mesh.js";
import type { Render } from "../render.js";
import { distinctName, identifier, literal, objectName } from "../sql-names.js";
import { type Reactions, routineView } from "./routine.js";

/**
 * The guards of the columns by which cascade rules find their rows: a row that named a deleted entity
 * would outlive the cascade that has already run. Together with the deletion's lock on `mesh.applied`
 * they hold under any interleaving: whichever of the two commits first is seen by the other.
 */
export function guardReactions(mesh: Mesh, service: string, table: Table, render: Render): Reactions {
  const isShared = ({ column }: GuardedColumn) => sharesName(cascadesOf(mesh, service), table.name, column);
  const guards = guardedColumns(mesh, service, table).map((guard) =>
    guardOf({ ...guard, nameOf: isShared(guard) ? distinctName : objectName }, table, render),
  );
  return {
    routines: guards.flatMap((guard) => guard.routines),
    triggers: guards.flatMap((guard) => guard.triggers),
  };
}

interface GuardedColumn {
  readonly column: string;
  /** `auth.user`: whose ids the column holds. */
  readonly entities: readonly string[];
}

function guardedColumns(mesh: Mesh, service: string, table: Table): readonly GuardedColumn[] {
  const rules = cascadesOf(mesh, service).filter((cascade) => cascade.table === table.name);
  const columns = table.columns.map(({ name }) => name);
  return columns.flatMap((column) => {
    const entities = new Set(rules.filter((rule) => rule.column === column).map(({ entity }) => entity));
    return entities.size === 0 ? [] : [{ column, entities: [...entities].sort() }];
  });
}

function cascadesOf(mesh: Mesh, service: string) {
  const consumers = mesh.services.find(({ name }) => name === service)?.consumers ?? [];
  return consumers.flatMap(({ cascades, entity }) => cascades.map((cascade) => ({ ...cascade, entity })));
}

/** Whether another table's guard would have the same functions: they stand in one schema. */
function sharesName(
  cascades: readonly { table: string; column: string }[],
  table: string,
  column: string,
): boolean {
  return cascades.some(
    (other) => other.table !== table && `${other.table}_${other.column}` === `${table}_${column}`,
  );
}

interface NamedGuard extends GuardedColumn {
  readonly nameOf: (...parts: readonly string[]) => string;
}

function guardOf({ column, entities, nameOf }: NamedGuard, table: Table, render: Render): Reactions {
  const named = (operation: string) =>
    routineView(nameOf("guard", table.name, column, operation), table.name);
  const trigger = (operation: string) => objectName("guard", column, operation);
  const type = table.columns.find((own) => own.name === column)?.type;
  const isText = type !== undefined && kindOf(type) === "text";
  const view = {
    table: identifier(table.name),
    tableText: literal(table.name),
    column: identifier(column),
    columnText: literal(column),
    cast: isText ? "" : "::text",
    entities: entities.map((entity) => literal(entity)),
  };
  const comment = `${table.name}.${column} names no ${entities.join(" or ")} that is deleted.`;
  const routine = (operation: "insert" | "update") => ({
    name: named(operation).name,
    table: table.name,
    comment,
    text: render(`guard_${operation}`, { ...view, ...named(operation) }),
  });
  return {
    routines: [routine("insert"), routine("update")],
    triggers: [
      {
        name: trigger("insert"),
        table: table.name,
        columns: [],
        text: render("statement_trigger", {
          name: identifier(trigger("insert")),
          table: view.table,
          moment: "AFTER INSERT",
          transitions: "NEW TABLE AS new_rows",
          routine: named("insert").name,
        }),
      },
      {
        name: trigger("update"),
        table: table.name,
        columns: [column],
        text: render("guard_update_trigger", {
          ...view,
          name: identifier(trigger("update")),
          routine: named("update").name,
        }),
      },
    ],
  };
}
