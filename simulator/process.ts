import type { Pool } from "pg";
import { createPool } from "../runtime/database/pool.js";
import type { Logger } from "../runtime/definition.js";
import { type Parts, startParts } from "../runtime/service/parts.js";
import { connectSimulated } from "./broker/index.js";
import { instrument } from "./instrument.js";
import type { SimulatedService } from "./mesh.js";
import { SimulatedSocket } from "./postgres/socket.js";
import type { Actor } from "./schedule.js";
import { sourceUrl } from "./source.js";
import type { World } from "./world.js";

/*
 * A process of a service: the runtime's own parts, on a pool, a broker and a network that can break.
 */

/** From one start to one end. What was started in a life that ended can never do anything again. */
export interface Life {
  readonly actor: Actor;
  readonly service: SimulatedService;
  /** For lists that others read. */
  readonly requests: Pool;
  /** Rejects nothing: resolves when the process dies. */
  readonly crashed: Promise<void>;
  /** It takes requests. */
  serving(): boolean;
  parts(): Parts | undefined;
  /** Breaks its connections to the database, or to the broker. */
  cutDatabase(): void;
  cutBroker(): void;
  /** Somebody committed something: whoever listens may hear of it. */
  ring(): void;
  /** kill -9 */
  crash(): void;
  /** SIGTERM: resolves when it has ended by itself. */
  stop(): Promise<void>;
}

export interface Birth {
  readonly service: SimulatedService;
  /** `sfs-1` */
  readonly name: string;
  readonly weight: number;
}

const PART_CONNECTIONS = 8;
const REQUEST_CONNECTIONS = 4;

export function startLife(world: World, { service, name, weight }: Birth): Life {
  const actor: Actor = { name, weight, alive: true, frozen: false };
  const sockets = new Set<SimulatedSocket>();
  const logger = noteTrouble(world, actor);
  const stream = () => {
    const socket = new SimulatedSocket(actor, service.database.name, world.databaseNetwork);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
  const connections = { url: "postgres://service@127.0.0.1/simulated", service: name, logger, stream };
  const pool = createPool({ ...connections, max: PART_CONNECTIONS });
  const requests = createPool({ ...connections, max: REQUEST_CONNECTIONS });
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
  const born = (async () => {
    await definition.start?.({ env, logger });
    if (actor.alive) parts = startParts({ definition, broker, env, pool, logger });
  })();
  world.schedule
    .outside(actor, born)
    .catch((error: unknown) => world.fail(`${name} refuses to start: ${error}`));
  let tellCrash = () => {};
  const crashed = new Promise<void>((resolve) => {
    tellCrash = resolve;
  });
  const die = () => {
    actor.alive = false;
    tellCrash();
    broker.die();
    for (const socket of sockets) void socket.hangUp();
    // Nothing that it does any more is done; but its loops would go on for ever, beyond the end of the world.
    parts?.stopIntake().catch(() => undefined);
    parts?.stop().catch(() => undefined);
  };
  const end = async () => {
    await born.catch(() => undefined);
    await parts?.stopIntake();
    await parts?.stop();
    await Promise.all([pool.end(), requests.end()]);
    if (actor.alive) die();
  };
  let stopped: Promise<void> | undefined;
  return {
    actor,
    service,
    requests,
    crashed,
    serving: () => actor.alive && parts !== undefined,
    parts: () => parts,
    cutDatabase: () => {
      for (const socket of [...sockets]) socket.cut();
    },
    cutBroker: () => broker.cut(),
    ring: () => {
      for (const socket of sockets) socket.ring("mesh_outbox");
    },
    crash: die,
    stop: () => {
      stopped ??= end();
      return stopped;
    },
  };
}

/** Where it finds the sources of its caches. */
function sourceVariables({ definition }: SimulatedService, name: string): Record<string, string> {
  const variables = definition.consumers.flatMap(({ sync, entity }) =>
    sync === undefined ? [] : [[sync.urlVariable, sourceUrl(name, entity.split(".")[0] ?? "")] as const],
  );
  return Object.fromEntries(variables);
}

/** What a service warns of belongs into the trace; the rest is what the trace says anyhow. */
function noteTrouble(world: World, actor: Actor): Logger {
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
