import { changes } from "@meshwright/runtime/vocabulary";
import type { Cascade, Event, Subscription } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { columnsFilledBy } from "./filling.js";
import { consumerPart, eventPart, subjectOf } from "./flow.js";
import { grow, leaf, type TreeContext, within } from "./grow.js";
import { beforeHook, eventsToldBy, handlersOf } from "./hook-links.js";
import { writtenBy } from "./hook-writes.js";
import type { Part } from "./part.js";
import { afterClearing, afterRemoval } from "./removal.js";

/** What every service that hears the event does, and what follows from that. */
export function heardBy(context: TreeContext, event: Event): readonly Branch[] {
  return context.flow.hearersOf(event.name).map((hearer) => {
    const to = consumerPart(hearer);
    if (hearer.service.external)
      return leaf({ how: "hears", to, with: ["its own code says what comes of it"] });
    const effects = effectsOn(context, hearer, event);
    if (effects.length === 0) return leaf({ how: "hears", to, with: ["nothing comes of it"] });
    const failures = context.tellsFailures ? [leaf(deadLetters(hearer))] : [];
    return within({ how: "hears", to, with: [] }, [...effects, ...failures]);
  });
}

/** In the order in which it happens: rules, then the row of the copy, then hooks. All of it is one transaction, but for hooks before. */
export function effectsOn(context: TreeContext, hearer: Subscription, event: Event): readonly Branch[] {
  const { flow } = context;
  const rules = hearer.consumer.cascades.filter((rule) => rule.event === event.name);
  return [
    ...rules.map((rule) => ruleBranch(context, hearer, rule)),
    ...copyBranch(context, hearer, event),
    ...handlersOf(flow, hearer, event).map((link) => hookBranch(context, link)),
  ];
}

function ruleBranch(context: TreeContext, { service }: Subscription, rule: Cascade): Branch {
  const { flow } = context;
  const { action, table, column, before, event } = rule;
  const database = service.database ?? "";
  const to: Part = {
    kind: "rule",
    service: service.name,
    database,
    on: subjectOf(flow.event(event)),
    action,
    table,
    column,
  };
  switch (action) {
    case "delete": {
      const { softDelete } = flow.table({ database, table });
      return within({ how: "deletes rows", to, with: softDelete === undefined ? [] : [softDelete] }, [
        ...(before === undefined
          ? []
          : beforeHook(flow, service, before).map((link) => hookBranch(context, asStep(link)))),
        ...afterRemoval(context, { database, table }),
      ]);
    }
    case "set_null":
      return within(
        { how: "clears column", to, with: [] },
        afterClearing(context, { kind: "column", database, table, column }),
      );
    default:
      return action satisfies never;
  }
}

function asStep(link: Link): Link {
  return { ...link, how: "before", with: link.how === "reads all" ? ["the whole row"] : link.with };
}

/** A hook, with the events that it publishes by hand, and the rows that it writes by SQL of its own. */
function hookBranch(context: TreeContext, link: Link): Branch {
  const told = eventsToldBy(context.flow, link);
  return within(link, [
    ...told.map((event) => grow(context, { how: "emits", to: eventPart(event), with: [] })),
    ...writtenBy(context, link),
  ]);
}

function copyBranch(context: TreeContext, hearer: Subscription, event: Event): readonly Branch[] {
  const { flow } = context;
  const { cache } = hearer.consumer;
  const { database } = hearer.service;
  if (cache === undefined || database === undefined) return [];
  const to: Part = { kind: "table", database, table: cache };
  if (event.change === "delete")
    return [within({ how: "removes copy", to, with: [] }, afterRemoval(context, to))];
  if (!changes[event.change].showsRow) return [];
  const fields = event.payload.map(({ name }) => name);
  const columns = fields.flatMap((field) =>
    columnsFilledBy(flow, hearer, { event: event.name, field }).map(({ column }) => column.column),
  );
  return [leaf({ how: "writes copy", to, with: columns })];
}

function deadLetters({ service, consumer }: Subscription): Link {
  const store = service.database ?? service.deadLetters?.stream ?? "";
  return {
    how: "dead letter",
    to: { kind: "dead letters", service: service.name, store },
    with: [String(consumer.delivery.attempts)],
  };
}
