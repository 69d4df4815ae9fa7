import { connectJetStream } from "../broker/jetstream.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { Service } from "./assemble.js";
import { readConfig } from "./config.js";
import { requireHooks } from "./hooks.js";
import { listen } from "./listen.js";
import { createLogger } from "./logger.js";
import { startParts } from "./parts.js";
import { prepareDatabase } from "./prepare-database.js";
import type { Environment } from "./secret-files.js";
import { startTracing } from "./start-tracing.js";
import { stopService } from "./stop.js";
import { watchDatabase } from "./watch-database.js";

/** A service that listens. It takes work once `ready` has resolved. */
export interface RunningService {
  readonly url: string;
  readonly port: number;
  readonly logger: Logger;
  /** Resolves once the service takes work, or is stopped before; rejects when its start hook or a migration refuses the start. */
  readonly ready: Promise<void>;
  /** Finishes what is in flight, publishes the outbox, and closes all connections. Safe to call twice. */
  stop(): Promise<void>;
}

/** Where the service logs. Default: JSON lines on standard output. */
export interface StartOptions {
  readonly logger?: Logger;
}

/**
 * Runs a service in this process. Resolves as soon as it listens: `/healthz` and `/readyz` answer from then on, everything
 * else once `ready` has resolved. It waits for its database as long as it takes, and needs neither broker nor snapshot
 * source to start. Rejects with `ConfigurationError` or `HooksError` where it can never run as it is set up, and with
 * `PortTaken` where another process has its port.
 */
export async function startService(
  definition: ServiceDefinition,
  env: Environment,
  options: StartOptions = {},
): Promise<RunningService> {
  requireHooks(definition);
  const config = readConfig(definition, env);
  const logger = options.logger ?? createLogger(definition.name, config.logLevel, config.logsEvents);
  const tracing = await startTracing(definition.name, env, logger);
  // With the servers of requests and figures, which most that imports the runtime, such as `mesh status`, does without.
  const { assemble } = await import("./assemble.js");
  const service = assemble(definition, config, logger);
  const [url, port] = await listen(service);
  logger.info({ url, mesh: definition.mesh }, "listening");
  for (const warning of config.warnings) logger.warn({}, warning);
  const ready = bringUp(service);
  // A refusal is logged where it happens: it must not end a caller who does not await `ready`.
  ready.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  return {
    url,
    port,
    logger,
    ready,
    stop: () => {
      stopped ??= stopService(service, ready).then(() => tracing?.stop());
      return stopped;
    },
  };
}

async function bringUp(service: Service): Promise<void> {
  const { definition, config, logger, state, pools, meter } = service;
  try {
    await prepareDatabase(service);
    state.phase = "running the start hook";
    await definition.start?.({ env: config.env, logger });
    service.stopping.signal.throwIfAborted();
    const broker =
      config.broker && (await connectJetStream({ ...config.broker, name: definition.name, logger }));
    service.parts = startParts({ definition, broker, env: config.env, pool: pools?.pool, logger, meter });
    if (state.phase === "running the start hook") state.phase = "serving";
    logger.info({}, "started");
    if (pools !== undefined)
      void watchDatabase({ pool: pools.figurePool, logger, signal: service.stopping.signal });
  } catch (error) {
    if (service.stopping.signal.aborted) return;
    state.phase = "refused to start";
    logger.error({ error }, "the start is refused");
    throw error;
  }
}
