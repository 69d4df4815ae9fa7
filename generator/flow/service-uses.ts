import type { Call, Event, Service, Subscription } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { effectsOn, heardBy } from "./event-effects.js";
import { eventPart } from "./flow.js";
import { growAs, leaf, type TreeContext, within } from "./grow.js";
import { keyOf, type Part } from "./part.js";
import { besideDeletion } from "./removal.js";
import { tablesOf, usesOfResource } from "./table-uses.js";

/** All that a service has to do with others: what it tells, what it hears and does of it, what it serves and calls, where it keeps its rows. */
export function usesOfService(context: TreeContext, name: string): readonly Branch[] {
  const { flow } = context;
  const service = flow.service(name);
  return [
    ...service.events.map((event) => growPublished(context, flow.event(event))),
    ...service.consumers.flatMap((consumer) =>
      consumer.events.map((event) => heardHere(context, { service, consumer }, flow.event(event))),
    ),
    ...resources(context, service),
    ...calls(context, service),
    ...storage(context, service),
  ];
}

/** An event that is asked for as a part of something larger, with the rows that go beside it and all who hear it. */
export function growPublished(context: TreeContext, event: Event): Branch {
  const to = eventPart(event);
  return growAs(
    context,
    { how: "publishes", to, with: [] },
    { key: keyOf(to), follow: (inner) => [...besideDeletion(inner, event), ...heardBy(inner, event)] },
  );
}

/** What the service does with an event of another. */
function heardHere(context: TreeContext, hearer: Subscription, event: Event): Branch {
  const to = eventPart(event);
  const { durable } = hearer.consumer;
  if (hearer.service.external) return leaf({ how: "is heard", to, with: [durable] });
  const effects = effectsOn(context, hearer, event);
  const nothing = effects.length === 0 ? ["nothing comes of it"] : [];
  return within({ how: "is heard", to, with: [durable, ...nothing] }, effects);
}

function resources({ flow }: TreeContext, { name: service, database, http }: Service): readonly Branch[] {
  return (http?.resources ?? []).map(({ path, table, readonly }) => {
    const to = { kind: "resource", service, path } as const;
    const mode = readonly ? "read-only" : "read and written";
    return within(
      { how: "offers", to, with: [`${database}.${table}`, mode] },
      usesOfResource(flow, to).map(leaf),
    );
  });
}

/** What others call of it at paths that are no resources, and what it calls itself. */
function calls({ flow }: TreeContext, { name, http }: Service): readonly Branch[] {
  const served = new Set(http?.resources.map(({ path }) => path));
  return flow.mesh.calls.flatMap(({ caller, callee, grants }): readonly Branch[] => {
    const others = grants.filter(({ path }) => !served.has(path));
    const by: Part = { kind: "service", service: caller };
    const to: Part = { kind: "service", service: callee };
    return [
      ...(callee === name && others.length > 0
        ? [leaf({ how: "calls", to: by, with: wordsOf(others) })]
        : []),
      ...(caller === name ? [leaf({ how: "is called", to, with: wordsOf(grants) })] : []),
    ];
  });
}

function wordsOf(grants: Call["grants"]): readonly string[] {
  return grants.map(({ path, verbs }) => `${verbs.join(", ").toUpperCase()} ${path}`);
}

function storage({ flow }: TreeContext, { database }: Service): readonly Branch[] {
  if (database === undefined) return [];
  const to: Part = { kind: "database", database };
  const tables: readonly Link[] = tablesOf(flow, database);
  return [within({ how: "keeps", to, with: [] }, tables.map(leaf))];
}
