import type { Annotation, SarifRule } from "../../diagnostics/annotation.js";
import { plural } from "../../diagnostics/plural.js";
import type { Mesh } from "../../model/mesh.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import { adviseHooks } from "../advise-hooks.js";
import { findCode } from "../ask/explain-code.js";
import type { ExitCode } from "../exit-code.js";
import {
  annotations,
  gatherWarnings,
  printWarnings,
  refusalsToJson,
  reportRefusals,
  warningsToJson,
} from "../findings.js";
import { findSqlRefusals } from "../generation.js";
import { printAnnotations } from "../print-annotations.js";
import { compileProject, optimiseLater } from "../project.js";

export interface CheckOptions {
  /** A warning is a finding too, unless mesh.yaml says why it is right so. */
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly github?: boolean;
}

/** Says everything that is wrong with mesh.yaml, and what it is warned of. */
export async function check({ strict = false, ...form }: CheckOptions): Promise<ExitCode> {
  optimiseLater();
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  const refusals = mesh ? await findSqlRefusals(mesh) : [];
  const warnings = gatherWarnings(mesh ? await adviseHooks(mesh) : [], compilation);
  const warned = diagnostics.length + warnings.located.length + warnings.others.length;
  const isSound = mesh !== undefined && refusals.length === 0;
  const isFine = isSound && (warned === 0 || !strict);
  if (form.json)
    printJson({
      diagnostics: [...refusalsToJson(refusals, compilation), ...warningsToJson(warnings, compilation)],
    });
  else if (form.sarif || form.github) {
    const all = annotations({ refusals, warnings }, compilation);
    await printAnnotations(all, { sarif: form.sarif ? rulesOf(all) : undefined });
  } else {
    printWarnings(warnings, compilation);
    if (refusals.length > 0) reportRefusals({ refusals }, compilation);
    if (isFine)
      print(describe(mesh, { warned, ignored: compilation.ignored.length + warnings.ignored.length }));
    else if (isSound) tell(colour.red(STRICT));
  }
  return isFine ? 0 : 1;
}

const STRICT = "--strict: mend what is warned of, or say why it is right: # mesh-ignore CODE: why it is";

function rulesOf(all: readonly Annotation[]): readonly SarifRule[] {
  return [...new Set(all.map(({ rule }) => rule))].sort().map((id): SarifRule => {
    const why = findCode(id)?.why;
    return why === undefined ? { id } : { id, fullDescription: { text: why } };
  });
}

function describe(
  { services, events, databases }: Mesh,
  { warned, ignored }: { readonly warned: number; readonly ignored: number },
): string {
  const parts = [
    plural(services.length, "service"),
    plural(databases.length, "database"),
    plural(events.length, "event"),
    ...(warned > 0 ? [plural(warned, "warning")] : []),
    ...(ignored > 0 ? [`${plural(ignored, "warning")} ignored where mesh.yaml says why`] : []),
  ];
  return `${colour.green("ok")} ${parts.join(", ")}`;
}
