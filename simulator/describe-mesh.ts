import type { TableDefinition } from "@meshwright/runtime";
import {
  columnShownAs,
  keyColumns,
  memberFilling,
  relationName,
  relationOf,
} from "@meshwright/runtime/simulation";
import { findCheckedRows } from "./checked-rows.js";
import { describeForeign } from "./foreign-entities.js";
import {
  type ForeignEntity,
  findOwner,
  type MeshFacts,
  type OwnedTable,
  type Owner,
  type PlayedService,
  type SimulatedMesh,
  type SimulatedService,
  type StatelessService,
  type Wanted,
} from "./mesh.js";
import { observeMoments } from "./moments.js";
import { KEYS } from "./plan.js";
import { describeUnimplied } from "./unimplied-events.js";

/*
 * Reads a mesh from its generated definitions; foreign keys and checks, which those do not have, from the databases.
 */

type TableInMaking = OwnedTable & {
  readonly samples: Map<string, readonly string[]>;
  readonly refersTo: Map<string, Owner>;
  checked: OwnedTable["checked"];
};

export async function describeMesh(
  played: readonly PlayedService[],
  facts: Partial<MeshFacts> = {},
): Promise<SimulatedMesh> {
  const {
    samples = {},
    wanted = {},
    payloads = {},
    events = [],
    timed = [],
    untold = {},
    backfilled = {},
    unmade = {},
  } = facts;
  const services = played.filter((one): one is SimulatedService => one.database !== undefined);
  const stateless = played.filter((one): one is StatelessService => one.database === undefined);
  const tables: TableInMaking[] = [];
  const foreign = describeForeign(played, payloads);
  for (const service of services) {
    for (const table of service.definition.tables) {
      if (table.cacheOf !== undefined) continue;
      const key = keyColumns(table);
      const columns = table.columns.filter(
        (column) => !key.includes(column) && column.name !== table.softDelete,
      );
      const ofTable = own(own(samples, service.definition.name), table.name);
      const byColumn = new Map(Object.entries(ofTable ?? {}));
      const values = {
        samples: byColumn,
        wanted: wantedValues(table, service.definition.name, { services, wanted }),
        moments: new Set(timedOf(timed, service, table).map(({ at }) => at)),
        checked: undefined,
      };
      tables.push({ service, table, key, columns, refersTo: new Map(), ...values });
    }
  }
  for (const owned of tables) {
    for (const [column, name] of await foreignKeys(owned)) {
      const target = tables.find(
        ({ service, table }) => service === owned.service && relationName(table) === name,
      );
      if (target !== undefined) owned.refersTo.set(column, target);
    }
    for (const { entity, column } of cascadesInto(owned)) {
      const target = findOwner({ tables, foreign }, entity);
      if (target !== undefined) owned.refersTo.set(column, target);
    }
  }
  for (const owned of tables) {
    owned.checked = await findCheckedRows(owned);
    takeCheckedKeys(owned);
    await observeMoments(owned, timedOf(timed, owned.service, owned.table));
  }
  const referrers = (target: OwnedTable) =>
    tables.filter(({ refersTo }) => [...refersTo.values()].includes(target)).length;
  const sorted = tables.toSorted((a, b) => referrers(b) - referrers(a));
  const unimplied = describeUnimplied(played, sorted, payloads);
  return {
    services,
    stateless,
    events: [...events, ...[...foreign, ...unimplied].flatMap(namesOf)],
    untold,
    backfilled,
    unmade,
    tables: sorted,
    foreign,
    unimplied,
  };
}

/** Where a CHECK refuses keys that writers would make up, they take those that it accepts. */
function takeCheckedKeys({ key, checked, samples }: TableInMaking): void {
  for (const { name } of key) {
    const at = checked?.columns.indexOf(name) ?? -1;
    const accepted = [...new Set((checked?.rows ?? []).flatMap((row) => (at < 0 ? [] : (row[at] ?? []))))];
    if (accepted.length > 0)
      samples.set(
        name,
        Array.from({ length: KEYS }, (_, number) => accepted[number % accepted.length] ?? ""),
      );
  }
}

function timedOf(timed: MeshFacts["timed"], { definition }: SimulatedService, { name }: TableDefinition) {
  return timed.filter(({ service, table }) => service === definition.name && table === name);
}

function namesOf({ entity, events }: Pick<ForeignEntity, "entity" | "events">): readonly string[] {
  return events.map(({ definition }) => `${entity}.${definition.action}`);
}

/** By column: what `when` of its events and `where` of its copies say. */
function wantedValues(
  table: TableDefinition,
  owner: string,
  { services, wanted }: { readonly services: readonly SimulatedService[]; readonly wanted: Wanted },
): OwnedTable["wanted"] {
  const values = new Map(Object.entries(own(own(wanted, owner), table.name) ?? {}));
  const copies = services.flatMap(({ definition }) =>
    definition.consumers.filter(({ entity }) => entity === `${owner}.${table.entity}`),
  );
  for (const cache of copies.flatMap((copy) => copy.cache ?? []))
    for (const { column: name, values: said = [], isNull } of cache.where ?? []) {
      const column = cache.columns.find((one) => one.name === name);
      const owned = column === undefined ? name : columnShownAs(table, memberFilling(column));
      const before = values.get(owned) ?? [];
      values.set(owned, [...before, ...said.map(String), ...(isNull === true ? [null] : [])]);
    }
  return values;
}

/** A name in mesh.yaml may be that of an inherited property, such as `constructor`. */
function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

function cascadesInto({
  service,
  table,
}: OwnedTable): { readonly entity: string; readonly column: string }[] {
  return service.definition.consumers.flatMap(({ entity, events }) =>
    events
      .flatMap(({ cascades = [] }) => cascades)
      .filter((rule) => rule.table.name === table.name)
      .map(({ column }) => ({ entity, column })),
  );
}

async function foreignKeys({ service, table }: OwnedTable): Promise<ReadonlyMap<string, string>> {
  const rows = await service.database.query<{ column: string; target: string }>(
    `SELECT attname AS column, relname AS target
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] JOIN pg_class ON pg_class.oid = confrelid
WHERE contype = 'f' AND conrelid = $1::regclass AND cardinality(conkey) = 1 ORDER BY 1`,
    [relationOf(table)],
  );
  return new Map(rows.map(({ column, target }) => [column, target]));
}
