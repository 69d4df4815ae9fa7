import { type Broker, messageOf, type ServiceDefinition, type StreamReader } from "@meshwright/runtime";
import { type Flow, openFlow } from "../../flow/flow.js";
import { type Databases, openBroker, openDatabases } from "../asked-sources.js";
import { loadDefinition } from "../loaded-service.js";
import type { RunningMesh } from "../running-mesh.js";
import { openReader } from "./read-events.js";

/** What could not be asked, and why. */
export interface Unreachable {
  readonly unreachable: string;
}

/** Whom a trace asks. */
export interface TraceSources {
  readonly running: RunningMesh;
  readonly flow: Flow;
  readonly databases: Databases;
  /** The services without a database, by name. */
  readonly stateless: ReadonlyMap<string, ServiceDefinition>;
  readonly broker: Broker;
  /** Its connection takes time, or is never made: meanwhile the databases are asked. */
  readonly reader: Promise<StreamReader | Unreachable>;
  close(): Promise<void>;
}

/** `only`: the services whose databases may have to be asked. */
export async function openTraceSources(
  running: RunningMesh,
  only: (service: string) => boolean = () => true,
): Promise<TraceSources> {
  const stateless = new Map<string, ServiceDefinition>();
  for (const service of running.stateless)
    if (only(service.name)) stateless.set(service.name, await loadDefinition(service));
  const databases = await openDatabases(
    running,
    running.services.filter(({ name }) => only(name)),
  );
  const broker = await openBroker(running);
  const reader = openReader(running).catch((error: unknown) => ({ unreachable: messageOf(error) }));
  return {
    ...{ running, flow: openFlow(running.mesh), databases, stateless, broker, reader },
    async close() {
      const opened = await reader;
      await Promise.all([broker.close(), databases.close(), "close" in opened ? opened.close() : undefined]);
    },
  };
}

/** The owner of an entity, and whom its events reach, hop by hop. */
export function reachedFrom(flow: Flow, entity: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const entities = new Set([entity]);
  // A set gives what is added while it is gone through.
  for (const each of entities) {
    reached.add(each.slice(0, each.indexOf(".")));
    for (const { service } of flow.hearersOfEntity(each)) {
      reached.add(service.name);
      for (const event of flow.mesh.events)
        if (event.service === service.name) entities.add(`${event.service}.${event.entity}`);
    }
  }
  return reached;
}
