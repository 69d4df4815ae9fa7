import type { Branch } from "./branch.js";
import { columnsFilledBy } from "./filling.js";
import { consumerPart } from "./flow.js";
import { type Growth, grow, leaf } from "./grow.js";
import { handlersReading } from "./hook-links.js";
import type { FieldPart } from "./part.js";

/** Who uses a field of an event: the columns of copies that it fills, the hooks that read it, and who hears it without using it. */
export function usesOfField(growth: Growth, at: FieldPart): readonly Branch[] {
  const { flow } = growth;
  return flow.hearersOf(at.event).flatMap((hearer): readonly Branch[] => {
    const filled = columnsFilledBy(flow, hearer, at);
    const read = handlersReading(flow, hearer, { event: flow.event(at.event), field: at.field });
    if (filled.length + read.length === 0)
      return [leaf({ how: "ignores", to: consumerPart(hearer), with: [] })];
    return [
      ...filled.map(({ column, isDeciding }) =>
        grow(growth, { how: isDeciding ? "fills and decides" : "fills", to: column, with: [] }),
      ),
      ...read.map(leaf),
    ];
  });
}
