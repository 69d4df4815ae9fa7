import pg, { type ClientConfig } from "pg";
import { messageOf } from "../text/error-message.js";
import { tlsSettings } from "./ssl-mode.js";

/*
 * The settings of each connection as they are when it is opened: certificates and passwords in files are replaced while a service
 * runs. What cannot be read just then counts as it was before, since a pool would end the process of whoever throws.
 */

/** What the driver needs for a URL of PostgreSQL. Throws `SslError`. */
export function clientConfig(given: string): ClientConfig {
  const { url, ssl, sslnegotiation } = tlsSettings(given, process.env);
  return { connectionString: url, ssl, sslnegotiation };
}

/** `read` again for each connection. Throws where it cannot be read the first time. */
export function renewing(
  read: (warn: (problem: string) => void) => string,
  warn: (problem: string) => void,
): () => ClientConfig {
  let known = clientConfig(read(warn));
  return () => {
    try {
      known = clientConfig(read(warn));
    } catch (error) {
      warn(messageOf(error));
    }
    // The driver changes the object that it is given.
    return { ...known, ...(typeof known.ssl === "object" ? { ssl: { ...known.ssl } } : {}) };
  };
}

/** A connection with the settings of now, where its pool says how to have them. */
export class CurrentClient extends pg.Client {
  constructor(config?: string | ClientConfig) {
    super(typeof config === "object" ? { ...config, ...currentOf(config) } : config);
  }
}

function currentOf(config: ClientConfig): ClientConfig {
  return "current" in config && typeof config.current === "function"
    ? (config.current() as ClientConfig)
    : {};
}
