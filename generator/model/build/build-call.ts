import { compareNames } from "../../collections/compare-names.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import { type CallVerb, callVerbs } from "../../vocabulary/call-verbs.js";
import type { Call } from "../mesh.js";
import { callKeyVariable, serviceUrlVariable } from "../names.js";
import { copyOf, findSource, subscribedEntities } from "./build-consumer.js";

/** One thing that a service says, or implies, that it calls. */
export interface Use {
  readonly callee: string;
  readonly path: string;
  readonly verb: CallVerb;
  readonly reason: Call["reasons"][number];
}

/** What services call of each other, by caller and callee. */
export function buildCalls(program: Program): readonly Call[] {
  return [...program.services.values()]
    .flatMap((caller) => callsOf(caller, program))
    .sort((a, b) => compareNames(a.caller, b.caller) || compareNames(a.callee, b.callee));
}

export function callsOf(caller: ServiceSymbol, program: Program): readonly Call[] {
  const uses = [...impliedUses(caller, program), ...declaredUses(caller)];
  return [...new Set(uses.map(({ callee }) => callee))].map((callee) => {
    const ours = uses.filter((use) => use.callee === callee);
    return {
      caller: caller.name,
      callee,
      urlVariable: serviceUrlVariable(callee),
      keyVariable: callKeyVariable(caller.name, callee),
      reasons: [...new Set(ours.map(({ reason }) => reason))],
      // What a mesh without caches was deployed with goes on starting it.
      optional: ours.every(({ reason }) => reason === "existence") ? true : undefined,
      grants: [...new Set(ours.map(({ path }) => path))].sort(compareNames).map((path) => ({
        path,
        verbs: callVerbs.filter((verb) => ours.some((use) => use.path === path && use.verb === verb)),
      })),
    };
  });
}

/** What the snapshots of its caches, and of entities that it keeps no cache of, are read from. */
export function impliedUses(service: ServiceSymbol, program: Program): readonly Use[] {
  if (service.external || service.database === undefined) return [];
  const tables = [...(service.database?.tables.values() ?? [])];
  const syncs = tables.flatMap((table): readonly Use[] => {
    const path = table.node?.get.sync?.get.get;
    if (table.cacheOf === undefined || path === undefined) return [];
    return [{ callee: table.cacheOf.value.service, path: path.value, verb: "get", reason: "sync" }];
  });
  const sources = subscribedEntities(service, program).flatMap((subscribed): readonly Use[] => {
    const { entity, action } = subscribed;
    const source =
      action === undefined && copyOf(service, subscribed) === undefined
        ? findSource(entity, service, program)
        : undefined;
    if (source === undefined) return [];
    return [{ callee: source.service, path: source.path, verb: "get", reason: "existence" }];
  });
  return [...syncs, ...sources];
}

function declaredUses({ node }: ServiceSymbol): readonly Use[] {
  return (node?.get.calls?.entries ?? []).flatMap(({ name: callee, node: paths }) =>
    (paths?.entries ?? []).flatMap(({ name: path, node: verbs }) =>
      (verbs?.items ?? []).map(
        (verb): Use => ({ callee: callee.value, path: path.value, verb: verb.value, reason: "declared" }),
      ),
    ),
  );
}
