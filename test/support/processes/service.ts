import type { StartHook } from "../../../runtime/definition/hook-definition.js";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import { runMain } from "../../../runtime/service/run-main.js";
import { resources, users } from "../http-tables.js";

/** A service as a process of its own; what it is made of comes from the environment. */
interface Hooks {
  readonly start?: StartHook;
}

function processService(hooks: Hooks): ServiceDefinition {
  return {
    mesh: "test",
    name: "auth",
    source: "auth-service",
    database: {
      name: "auth_db",
      urlVariable: "AUTH_DB_URL",
      ownerUrlVariable: "AUTH_DB_OWNER_URL",
      roles: { owner: "auth_owner", service: "auth_service" },
      migrations: new URL(`file://${process.env.MIGRATIONS}/`),
    },
    publishes: [],
    tables: [users],
    consumers: [],
    http: { port: 0, resources },
    start: hooks.start,
  };
}

await runMain(processService, import.meta.url);
