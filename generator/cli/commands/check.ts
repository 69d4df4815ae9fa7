import type { ExitCode } from "../exit.js";
import { compileProject, reportDiagnostics } from "../project.js";
import { colour, print } from "../terminal.js";

/** Says everything that is wrong with mesh.yaml; a warning alone is no finding. */
export async function check(options: { readonly json?: boolean }): Promise<ExitCode> {
  const { mesh, diagnostics } = await compileProject();
  reportDiagnostics(diagnostics, options.json);
  if (mesh && !options.json) {
    const { services, events, databases } = mesh;
    print(
      `${colour.green("ok")} ${services.length} services, ${databases.length} databases, ${events.length} events`,
    );
  }
  return mesh ? 0 : 1;
}
