import type { Event } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { columnsFilledBy } from "./filling.js";
import { consumerPart, entityOf, eventPart } from "./flow.js";
import { grow, leaf, type TreeContext } from "./grow.js";
import { handlersReading } from "./hook-links.js";
import type { FieldPart } from "./part.js";

/** Who uses a field of an event: the columns of copies that it fills, the hooks that read it, and who hears it without using it. */
export function usesOfField(context: TreeContext, at: FieldPart): readonly Branch[] {
  const { flow } = context;
  const event = flow.event(at.event);
  const uses = flow.hearersOf(at.event).flatMap((hearer): readonly Branch[] => {
    const filled = columnsFilledBy(flow, hearer, at);
    const read = handlersReading(flow, hearer, { event, field: at.field });
    if (filled.length + read.length === 0)
      return [leaf({ how: "ignores", to: consumerPart(hearer), with: [] })];
    return [
      ...filled.map(({ column, isDeciding }) =>
        grow(context, { how: isDeciding ? "fills and decides" : "fills", to: column, with: [] }),
      ),
      ...read.map(leaf),
    ];
  });
  return [...identified(event, at).map(leaf), ...uses];
}

/** Of an external owner's message: that the field says whose it is, or which. */
function identified(event: Event, { field }: FieldPart): readonly Link[] {
  const { idField, eventIdField } = event.foreign ?? {};
  return [
    ...(idField === field
      ? [{ how: "names" as const, to: { kind: "entity" as const, entity: entityOf(event) }, with: [] }]
      : []),
    ...(eventIdField === field ? [{ how: "identifies" as const, to: eventPart(event), with: [] }] : []),
  ];
}
