import { plural } from "../../diagnostics/plural.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import { adviseHooks } from "../advise-hooks.js";
import type { ExitCode } from "../exit-code.js";
import { reportWarnings, warningsToJson } from "../generation.js";
import { compileProject, reportDiagnostics } from "../project.js";

/** Says everything that is wrong with mesh.yaml; a warning alone is no finding. */
export async function check(options: { readonly json?: boolean }): Promise<ExitCode> {
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  const findings = mesh ? await adviseHooks(mesh) : [];
  if (options.json) printJson({ diagnostics: warningsToJson(findings, compilation) });
  else {
    reportDiagnostics(diagnostics, false);
    reportWarnings(findings, compilation);
  }
  if (mesh && !options.json) {
    const { services, events, databases } = mesh;
    print(
      `${colour.green("ok")} ${plural(services.length, "service")}, ${plural(databases.length, "database")}, ${plural(events.length, "event")}`,
    );
  }
  return mesh ? 0 : 1;
}
