import { createRequire } from "node:module";
import type { Logger } from "../definition/hook-definition.js";
import { waitAtMost } from "../pause.js";
import { isTraced } from "../telemetry/spans.js";
import { messageOf } from "../text/error-message.js";
import type { Environment } from "./secret-files.js";

/*
 * OpenTelemetry's SDK, where the environment asks for it (`OTEL_*`) and the project has installed it. The runtime stands on its
 * interface alone.
 */

interface Sdk {
  start(): void;
  shutdown(): Promise<void>;
}

interface SdkModule {
  readonly NodeSDK: new (options: {
    readonly serviceName: string;
    readonly instrumentations: readonly unknown[];
  }) => Sdk;
}

const SDK = "@opentelemetry/sdk-node";
/** The official instrumentations that are used where they are installed, and what each of them looks into. */
const INSTRUMENTATIONS = [
  { name: "@opentelemetry/instrumentation-http", exported: "HttpInstrumentation", into: "node:http" },
  { name: "@opentelemetry/instrumentation-pg", exported: "PgInstrumentation", into: "pg" },
] as const;

const UNREACHED =
  "OpenTelemetry's SDK exports no traces by its variables, or stands on another version of @opentelemetry/api than the runtime";

export interface Tracing {
  /** Sends what is recorded. Gives up after 2 s: nobody waits for a collector. */
  stop(): Promise<void>;
}

const STOP_MS = 2_000;

/** Undefined where nothing asks for it, or the SDK is not installed, which the log then says. */
export async function startTracing(
  service: string,
  env: Environment,
  logger: Logger,
): Promise<Tracing | undefined> {
  const asked = Object.keys(env).filter((name) => name.startsWith("OTEL_") && env[name] !== "");
  if (asked.length === 0 || env.OTEL_SDK_DISABLED === "true") return undefined;
  try {
    const { NodeSDK } = (await import(SDK)) as SdkModule;
    const instrumentations = await Promise.all(INSTRUMENTATIONS.map(load));
    const sdk = new NodeSDK({
      serviceName: env.OTEL_SERVICE_NAME ?? service,
      instrumentations: instrumentations.filter((one) => one !== undefined),
    });
    sdk.start();
    // What was loaded before is instrumented when it is required again.
    const require = createRequire(import.meta.url);
    for (const { into } of INSTRUMENTATIONS) require(into);
    if (isTraced()) logger.info({ variables: asked }, "tracing: OpenTelemetry's SDK has started");
    else logger.warn({ variables: asked }, `nothing is traced: ${UNREACHED}`);
    return {
      stop: () =>
        waitAtMost(
          sdk.shutdown().catch(() => undefined),
          STOP_MS,
        ),
    };
  } catch (error) {
    logger.warn(
      { variables: asked, error: messageOf(error) },
      `${asked[0]} is set, and nothing is traced: install ${SDK} beside the service`,
    );
    return undefined;
  }
}

async function load({ name, exported }: (typeof INSTRUMENTATIONS)[number]): Promise<unknown> {
  try {
    const module = (await import(name)) as Readonly<Record<string, new () => unknown>>;
    const Instrumentation = module[exported];
    return Instrumentation && new Instrumentation();
  } catch {
    return undefined;
  }
}
