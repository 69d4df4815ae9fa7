import type { Database, Service } from "../../model/mesh.js";
import { serviceTitle } from "../../model/service-title.js";
import { call, code } from "../print/layout.js";
import { constantStatement } from "./constant.js";
import { docs } from "./docs.js";
import { eventsConstantName } from "./events.js";
import { gatherImports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

/** publisher.ts: the service's own events, and no others, as methods. */
export function publisherSource(service: Service, database: Database | undefined): SourceText {
  const name = `${service.names.value}Publisher`;
  const imports = gatherImports(name);
  const events = imports.value("./events.js", eventsConstantName(service));
  const publisher = constantStatement({
    name,
    value: call(imports.value(RUNTIME, "publisherOf"), code(events), {
      service: service.name,
      source: service.source,
      meshSchema: database?.shared?.schema,
    }),
    docs: docs(
      `Events of ${serviceTitle(service.name)} by hand, in the given transaction; what a table implies, its triggers publish.`,
    ),
  });
  return { imports, statements: [publisher] };
}
