import { existsSync, realpathSync } from "node:fs";
import { plural } from "../../diagnostics/plural.js";
import { suggest } from "../../diagnostics/suggest.js";
import { exportDocument, exportFiles, servedOf } from "../../export/export-files.js";
import type { ExportFormat } from "../../export/export-formats.js";
import type { Mesh, Service } from "../../model/mesh.js";
import { openOutputFolder } from "../../project/output-folder.js";
import { readProjectVersion } from "../../project/project-version.js";
import { UsageError } from "../../project/usage-error.js";
import { print } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

export interface ExportCommandOptions {
  readonly service?: string;
  /** Folder; undefined: standard output. */
  readonly out?: string;
  readonly owner?: string;
}

/** Prints mesh.yaml as other tools read it, or writes it into a folder. */
export async function exportMesh(format: ExportFormat, options: ExportCommandOptions): Promise<ExitCode> {
  const { mesh, diagnostics } = await compileForErrors();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, false);
    return 1;
  }
  const service = options.service === undefined ? undefined : serviceNamed(mesh, options.service);
  checkOwner(options.owner);
  const scope = { service, owner: options.owner, version: await readProjectVersion() };
  if (options.out !== undefined) {
    const files = exportFiles(mesh, format, scope);
    const folder = openOutputFolder(followed(options.out));
    for (const { path, text } of files) folder.write(path, text);
    print(`wrote ${plural(files.length, "file")} into ${options.out}`);
    return 0;
  }
  const text = exportDocument(mesh, format, scope);
  if (text === undefined) throw noDocument(mesh, service);
  print(text.trimEnd());
  return 0;
}

/** The folder that a link leads to: who names it on the command line means it. */
function followed(folder: string): string {
  return existsSync(folder) ? realpathSync(folder) : folder;
}

function serviceNamed(mesh: Mesh, name: string): Service {
  const service = mesh.services.find((each) => each.name === name);
  if (service !== undefined) return service;
  const near = suggest(
    name,
    mesh.services.map((each) => each.name),
  );
  throw new UsageError(
    `this mesh has no service "${name}"`,
    near === undefined ? undefined : `did you mean "${near}"?`,
  );
}

/** As Backstage refers to an entity: a name, with its kind and namespace where they are others than it takes by itself. */
const ENTITY_REFERENCE =
  /^(?:[a-z][a-z0-9+.-]*:)?(?:[a-z0-9][a-z0-9-]{0,62}\/)?[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/i;

function checkOwner(owner: string | undefined): void {
  if (owner === undefined || ENTITY_REFERENCE.test(owner)) return;
  throw new UsageError(
    `"${owner}" refers to no entity of Backstage's`,
    "say one as platform-team, group:platform-team or user:default/jane",
  );
}

function noDocument(mesh: Mesh, service: Service | undefined): UsageError {
  const served = servedOf(mesh, service);
  if (served.length > 1)
    return new UsageError(
      "each service has a document of its own",
      `say one with --service ${served[0]?.name}, or a folder for all of them with --out`,
    );
  return new UsageError(
    `${service === undefined ? "no service" : `"${service.name}"`} answers over HTTP`,
    'add "http" to it in mesh.yaml',
  );
}
