import type { Flow } from "../flow/flow.js";
import type { Cascade, Mesh, Service } from "../model/mesh.js";
import { type Change, type ChangeKind, type Concern, changeOf } from "./change.js";
import type { Former } from "./former-names.js";
import type { Meshes } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { distinct, partiesOf } from "./readers.js";

/** What deletions do to the rows of a service, whichever durable tells of them. */
export function compareCascades(previous: Service, service: Service, meshes: Meshes): readonly Change[] {
  const former = formerTargets(service, meshes);
  const cascades = ({ consumers }: Service) => consumers.flatMap((consumer) => consumer.cascades);
  const was = cascades(previous).map((cascade) => ({ ...cascade, ...former(cascade) }));
  const key = ({ event, table, column }: Cascade) => `${event} ${table} ${column}`;
  return pairUp(was, cascades(service), key).flatMap(([before, cascade]) => {
    const about = { service, meshes };
    if (cascade === undefined)
      return before === undefined ? [] : [cascadeChange("cascade-removed", before, about)];
    if (before === undefined) return [cascadeChange("cascade-added", cascade, about)];
    const changes: Change[] = [];
    if (before.action !== cascade.action)
      changes.push(
        cascadeChange(cascade.action === "delete" ? "cascade-deletes" : "cascade-spares", cascade, about),
      );
    if (before.before !== cascade.before) changes.push(cascadeChange("before-hook-changed", cascade, about));
    return changes;
  });
}

function formerTargets({ name }: Service, { next, former }: { next: Mesh; former: Former }) {
  const databases = next.databases.filter(({ service }) => service === name);
  return ({ table, column }: Cascade): Pick<Cascade, "table" | "column"> => {
    const pair = databases
      .flatMap((database) => former.tables(database.name).kept)
      .find(({ previous }) => previous.name === table);
    if (pair === undefined) return { table, column };
    const kept = former.columns(pair).kept.find(({ previous }) => previous.name === column);
    return { table: pair.next.name, column: kept?.next.name ?? column };
  };
}

function cascadeChange(
  kind: ChangeKind,
  { event, action, table, column, before: hook }: Cascade,
  { service, meshes }: { readonly service: Service; readonly meshes: Meshes },
): Change {
  const gone = kind === "cascade-removed";
  const flow = gone ? meshes.flows.before : meshes.flows.next;
  const { mesh } = flow;
  const told = mesh.events.find(({ name }) => name === event);
  const on = told === undefined ? event : `${told.service}.${told.entity}.${told.action}`;
  const target = `${table}.${column}`;
  const hooked = hook === undefined ? "" : `, after ${hook}`;
  const does = { delete: "deletes rows by", set_null: "empties" }[action];
  const says = gone ? `no longer ${does} ${target}` : `${does} ${target}${hooked}`;
  const concerns = [
    { service: service.name, field: target, as: "whose rows it is about" },
    ...followers(table, service, flow),
  ];
  return changeOf(kind, {
    path: ["cascades", { on, service: service.name, [action]: target }],
    gone: gone || undefined,
    message: `on ${on} ${service.name} ${says}`,
    concerns,
    parties: partiesOf(service.name, concerns, mesh),
    ...(kind === "cascade-added" &&
      isNewColumn(service, { table, column }, meshes) && { class: "compatible" }),
    ...(service.database !== undefined && {
      rows: { database: service.database, tables: [table], columns: [column] },
    }),
  });
}

/** No row that was there before holds an id in it. */
function isNewColumn(
  { database }: Service,
  { table, column }: Pick<Cascade, "table" | "column">,
  { former }: Meshes,
): boolean {
  const { kept, added } = former.tables(database ?? "");
  const pair = kept.find(({ next }) => next.name === table);
  if (pair === undefined) return added.some(({ name }) => name === table);
  return former.columns(pair).added.some(({ name }) => name === column);
}

/** Those who hear what follows from deleted rows. */
function followers(table: string, { name, events }: Service, flow: Flow): readonly Concern[] {
  const emitted = flow.mesh.events.filter(
    (event) => events.includes(event.name) && event.emit?.table === table && event.emit.on.includes("delete"),
  );
  const as = `hears what follows (${emitted.map((event) => event.name).join(", ")})`;
  return distinct(
    emitted
      .flatMap((event) => flow.hearersOf(event.name))
      .flatMap(({ service }) => (service.name === name ? [] : [{ service: service.name, as }])),
  );
}
