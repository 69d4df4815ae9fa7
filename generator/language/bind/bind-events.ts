import type { Change } from "@meshwright/runtime/vocabulary";
import { changeOfAction, changeOfOperation, type Operation, operations } from "../../vocabulary/changes.js";
import type { EmitNode, MeshNode, SubjectNode } from "../grammar.js";
import type { NamedNode } from "../node.js";
import type { EntitySymbol, EventSymbol, ServiceSymbol, TypeSymbol } from "../symbols.js";
import type { SubjectName } from "../words.js";
import { bindPayload } from "./bind-payload.js";

interface BoundEvents {
  readonly events: readonly EventSymbol[];
  readonly entities: ReadonlyMap<string, EntitySymbol>;
  readonly subjects: ReadonlyMap<string, EventSymbol>;
}

export function bindEvents(
  node: MeshNode,
  services: ReadonlyMap<string, ServiceSymbol>,
  types: ReadonlyMap<string, TypeSymbol>,
): BoundEvents {
  const events = (node.get.subjects?.entries ?? []).map((entry) => bindEvent(entry, services, types));
  const entities = new Map<string, EntitySymbol>();
  const subjects = new Map<string, EventSymbol>();
  for (const event of events) {
    const { service, entity, action } = event.subject.value;
    const known = entities.get(event.entityName) ?? {
      entityName: event.entityName,
      service,
      entity,
      events: [],
    };
    known.events.push(event);
    entities.set(event.entityName, known);
    subjects.set(`${event.entityName}.${action}`, event);
  }
  return { events, entities, subjects };
}

function bindEvent(
  { name: subject, node }: NamedNode<SubjectName, SubjectNode>,
  services: ReadonlyMap<string, ServiceSymbol>,
  types: ReadonlyMap<string, TypeSymbol>,
): EventSymbol {
  const service = services.get(subject.value.service);
  const emit = node?.get.emit;
  const operations = operationsOf(emit);
  const table =
    emit?.get.table === undefined ? undefined : service?.database?.tables.get(emit.get.table.value);
  const fields = bindPayload(node?.get.payload, {
    types,
    table,
    tables: service?.database?.tables ?? new Map(),
    naming: service?.naming ?? "columns",
    mayInsert: operations.includes("insert"),
  });
  const named = emit?.get.id;
  const [key, ...others] = table?.key ?? [];
  const id = others.length === 0 && named?.value === key?.name ? undefined : named;
  return {
    subject,
    entityName: `${subject.value.service}.${subject.value.entity}`,
    node,
    name: node?.get.event,
    service,
    table,
    id,
    operations,
    change:
      node?.get.change?.value ??
      // An insert or a deletion of a row that only names the entity neither creates nor deletes the entity.
      (id === undefined ? impliedChange(operations) : undefined) ??
      // At a moment the row is as it was, whatever the action is called.
      (emit?.get.at === undefined ? changeOfAction.get(subject.value.action) : undefined) ??
      "none",
    fields: new Map(fields.map((field) => [field.name, field])),
  };
}

function operationsOf(emit: EmitNode | undefined): readonly Operation[] {
  const on = emit?.get.on;
  if (on === undefined) return [];
  return on.kind === "choice" ? [on.value] : on.items.map((item) => item.value);
}

/** An event of several operations that may bring a row into being has to be able to create. */
function impliedChange(implied: readonly Operation[]): Change | undefined {
  const strongest = operations.find((operation) => implied.includes(operation));
  return strongest === undefined ? undefined : changeOfOperation[strongest];
}
