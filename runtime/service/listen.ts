import { ConfigurationError } from "../configuration-error.js";
import { codeOf } from "../text/error-message.js";
import type { Service } from "./assemble.js";
import type { ServiceConfig } from "./config.js";
import { closePools } from "./pools.js";

/** The port is another process's. It may be free later: a former replica may be about to stop. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
  constructor({ host, port }: ServiceConfig, cause: unknown) {
    super(`port ${port} of ${host} is taken by another process: end it, or set PORT to another one`, {
      cause,
    });
  }
}

/** Listens, and tells where. Rejects with `PortTaken`, and with `ConfigurationError` for an address that cannot be listened on. */
export async function listen(service: Service): Promise<readonly [url: string, port: number]> {
  const { app, config, definition } = service;
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await closePools(service.pools);
    const code = codeOf(error) ?? "";
    if (code === "EADDRINUSE") throw new PortTaken(config, error);
    throw UNLISTENABLE.includes(code) ? unlistenable(code, definition.name, config) : error;
  }
  return addressOf(service);
}

/** The address is not this machine's, or no address at all. */
const UNLISTENABLE = ["ENOTFOUND", "EAI_AGAIN", "EADDRNOTAVAIL", "EINVAL", "EACCES"];

function unlistenable(code: string, service: string, { host, port }: ServiceConfig) {
  return new ConfigurationError(service, [
    `HOST ${JSON.stringify(host)} and PORT ${port} cannot be listened on (${code}); HOST is an address of this machine, such as 0.0.0.0`,
  ]);
}

function addressOf({ app, config }: Service): [url: string, port: number] {
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : config.port;
  const anywhere = config.host === "0.0.0.0" || config.host === "::";
  const host = anywhere ? "127.0.0.1" : config.host.includes(":") ? `[${config.host}]` : config.host;
  return [`http://${host}:${port}`, port];
}
