import type { Naming } from "../../vocabulary/namings.js";
import type { MeshNode, ServiceNode } from "../grammar.js";
import { isPoisoned, type NamedNode } from "../node.js";
import type { DatabaseSymbol, ServiceSymbol, SubscriptionSymbol } from "../symbols.js";

export function bindServices(
  node: MeshNode,
  databases: ReadonlyMap<string, DatabaseSymbol>,
): Map<string, ServiceSymbol> {
  const services = (node.get.services?.entries ?? []).map((entry) =>
    bindService(entry, databases, node.get.naming?.value),
  );
  for (const service of services) service.database?.owners.push(service);
  return new Map(services.map((service) => [service.name, service]));
}

function bindService(
  { name, node }: NamedNode<string, ServiceNode>,
  databases: ReadonlyMap<string, DatabaseSymbol>,
  naming: Naming | undefined,
): ServiceSymbol {
  const { publishes, subscribes, database } = node?.get ?? {};
  const subscriptions = (subscribes?.items ?? []).flatMap((item): SubscriptionSymbol[] => {
    if (item.kind === "text")
      return [{ pattern: item, name: undefined, delivery: undefined, plain: undefined }];
    const { to, name: consumer, delivery } = item.get;
    const isPlain = item.keySpans.name === undefined && item.keySpans.delivery === undefined;
    const plain = isPlain ? item.span : undefined;
    return to === undefined || isPoisoned(item, "name")
      ? []
      : [{ pattern: to, name: consumer, delivery, plain }];
  });
  return {
    name: name.value,
    span: name.span,
    node,
    external: node?.get.external?.value ?? false,
    naming: node?.get.naming?.value ?? (node?.get.external?.value === true ? undefined : naming) ?? "columns",
    envelope: node?.get.envelope?.value ?? "mesh",
    source: node?.get.source?.value ?? `${name.value}-service`,
    database: database === undefined ? undefined : databases.get(database.value),
    publishes: publishes?.items ?? [],
    subscribes: subscriptions.map(({ pattern }) => pattern),
    subscriptions,
    poisoned: {
      publishes: isPoisoned(node, "publishes"),
      subscribes:
        isPoisoned(node, "subscribes") ||
        (subscribes?.items ?? []).some((item) => item.kind === "mapping" && item.poisoned),
    },
  };
}
