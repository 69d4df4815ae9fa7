import { createPool, type Logger } from "@meshwright/runtime";
import { type Parts, startParts } from "@meshwright/runtime/simulation";
import { connectSimulated } from "./broker/index.js";
import { instrument } from "./instrument.js";
import type { PlayedService } from "./mesh.js";
import { SimulatedSocket } from "./postgres/socket.js";
import type { Actor } from "./schedule.js";
import { sourceUrl } from "./simulated-fetch.js";
import type { ServiceProcess, World } from "./world.js";

/*
 * A process of a service: the runtime's own parts on a connection pool, a broker and a network that can break.
 */

export interface ProcessOptions {
  readonly service: PlayedService;
  /** `sfs-1` */
  readonly name: string;
  readonly weight: number;
}

const PART_CONNECTIONS = 8;
const REQUEST_CONNECTIONS = 4;

export function startProcess(world: World, { service, name, weight }: ProcessOptions): ServiceProcess {
  const actor: Actor = { name, weight, alive: true, frozen: false };
  const sockets = new Set<SimulatedSocket>();
  const logger = traceWarnings(world, actor);
  const { database } = service;
  const openPool = (max: number) => {
    if (database === undefined) return undefined;
    const stream = () => {
      const socket = new SimulatedSocket(actor, database.name, world.databaseNetwork);
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      return socket;
    };
    const url = "postgres://service@127.0.0.1/simulated";
    const meshSchema = service.definition.database?.shared?.schema;
    return createPool({ url, service: name, meshSchema, logger, stream, max });
  };
  const pool = openPool(PART_CONNECTIONS);
  const requests = openPool(REQUEST_CONNECTIONS);
  const broker = connectSimulated({
    server: world.server,
    name: service.definition.name,
    wire: { cross: (what, work) => world.schedule.step(actor, what, work) },
    adversary: world.adversary,
    logger,
  });
  const definition = instrument(world, actor, service.definition);
  const env = { ...service.env, ...sourceVariables(service, name) };
  let parts: Parts | undefined;
  const started = (async () => {
    await definition.start?.({ env, logger });
    if (actor.alive) parts = startParts({ definition, broker, env, pool, logger });
  })();
  world.schedule
    .outside(actor, started)
    .catch((error: unknown) => world.fail(`${name} refuses to start: ${error}`));
  let resolveEnded = () => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const kill = () => {
    actor.alive = false;
    resolveEnded();
    broker.die();
    for (const socket of sockets) void socket.hangUp();
    // None of its steps are performed any more. Its loops still have to be stopped, or they would outlive the world.
    parts?.stopConsuming().catch(() => undefined);
    parts?.stop().catch(() => undefined);
  };
  const end = async () => {
    await started.catch(() => undefined);
    await parts?.stopConsuming();
    await parts?.stop();
    await Promise.all([pool?.end(), requests?.end()]);
    if (actor.alive) kill();
  };
  let stopped: Promise<void> | undefined;
  return {
    actor,
    service,
    requests,
    ended,
    serving: () => actor.alive && parts !== undefined,
    parts: () => parts,
    cutBroker: () => broker.cut(),
    notify: () => {
      for (const socket of sockets) socket.notify("mesh_outbox");
    },
    kill,
    stop: () => {
      stopped ??= end();
      return stopped;
    },
  };
}

/** The variables that say where its caches' sources are. */
function sourceVariables({ definition }: PlayedService, name: string): Record<string, string> {
  const variables = definition.consumers.flatMap(({ sync, entity }) =>
    sync === undefined ? [] : [[sync.urlVariable, sourceUrl(name, entity.split(".")[0] ?? "")] as const],
  );
  return Object.fromEntries(variables);
}

/** A logger that puts warnings and errors into the trace. Other lines only repeat what the trace says. */
function traceWarnings(world: World, actor: Actor): Logger {
  const note = (fields: object, text: string) => {
    if (!actor.alive) return;
    const { error } = fields as { readonly error?: unknown };
    const reason = error === undefined ? "" : `: ${error instanceof Error ? error.message : String(error)}`;
    world.note(actor, `says "${text}"${reason}`);
  };
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: note,
    error: note,
    child: () => logger,
  };
  return logger;
}
