import type { Service } from "../../model/mesh.js";
import { gatherImports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";
import { serviceFunctionName } from "./service.js";

/** main.ts: runs the service alone, from environment variables. */
export function mainSource(service: Service): SourceText {
  const imports = gatherImports();
  const run = imports.value(RUNTIME, "runMain");
  const factory = imports.value("./service.js", serviceFunctionName(service));
  return { imports, statements: [`await ${run}(${factory}, import.meta.url);`] };
}
