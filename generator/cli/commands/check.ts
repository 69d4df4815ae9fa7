import { plural } from "../../diagnostics/plural.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import { adviseHooks } from "../advise-hooks.js";
import type { ExitCode } from "../exit-code.js";
import {
  findSqlRefusals,
  gatherWarnings,
  printWarnings,
  refusalsToJson,
  reportRefusals,
  warningsToJson,
} from "../generation.js";
import { compileProject } from "../project.js";

export interface CheckOptions {
  /** A warning is a finding too, unless mesh.yaml says why it is right so. */
  readonly strict?: boolean;
  readonly json?: boolean;
}

/** Says everything that is wrong with mesh.yaml, and what it is warned of. */
export async function check({ strict = false, json = false }: CheckOptions): Promise<ExitCode> {
  const compilation = await compileProject();
  const { mesh, diagnostics, ignored } = compilation;
  const refusals = mesh ? await findSqlRefusals(mesh) : [];
  const warnings = gatherWarnings(mesh ? await adviseHooks(mesh) : [], compilation);
  if (json)
    printJson({
      diagnostics: [...refusalsToJson(refusals, compilation), ...warningsToJson(warnings, compilation)],
    });
  else {
    printWarnings(warnings, compilation);
    if (refusals.length > 0) reportRefusals(refusals, compilation);
  }
  if (mesh === undefined || refusals.length > 0) return 1;
  const isClean = diagnostics.length + warnings.located.length + warnings.others.length === 0;
  const isFine = isClean || !strict;
  if (json) return isFine ? 0 : 1;
  const { services, events, databases } = mesh;
  const count = ignored.length + warnings.ignored.length;
  const parts = [
    plural(services.length, "service"),
    plural(databases.length, "database"),
    plural(events.length, "event"),
    ...(count > 0 ? [`${plural(count, "warning")} ignored where mesh.yaml says why`] : []),
  ];
  if (isFine) print(`${colour.green("ok")} ${parts.join(", ")}`);
  else
    tell(
      colour.red("--strict: mend what is warned of, or say why it is right: # mesh-ignore CODE: why it is"),
    );
  return isFine ? 0 : 1;
}
