import { pathToFileURL } from "node:url";
import type { ServiceDefinition } from "../../runtime/definition/service-definition.js";
import { writeMigrations } from "./http-server.js";
import { KEY, resources, SQL, users } from "./http-tables.js";

export { KEY };

/** A service over the tables of the HTTP tests: no stream, no consumers, unless given. */
export async function defineService(more: Partial<ServiceDefinition> = {}): Promise<ServiceDefinition> {
  return {
    mesh: "test",
    name: "auth",
    source: "auth-service",
    database: {
      name: "auth_db",
      urlVariable: "AUTH_DB_URL",
      ownerUrlVariable: "AUTH_DB_OWNER_URL",
      roles: { owner: "auth_owner", service: "auth_service" },
      migrations: pathToFileURL(`${await writeMigrations(SQL)}/`),
    },
    publishes: [],
    tables: [users],
    consumers: [],
    http: { port: 0, resources },
    environment: [{ name: "COLOUR", default: "blue" }],
    ...more,
  };
}

export const authorized = { authorization: `Bearer ${KEY}` };
