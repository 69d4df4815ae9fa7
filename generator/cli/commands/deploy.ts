import { randomInt } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import type { DeployTarget } from "../../deploy/deploy-targets.js";
import { plural } from "../../diagnostics/plural.js";
import { HEADER, type OutputFolder } from "../../emit/file.js";
import type { Mesh } from "../../model/mesh.js";
import { openOutputFolder } from "../../project/output-folder.js";
import { readTemplates } from "../../project/package.js";
import { GENERATED, MESH_FILE } from "../../project/paths.js";
import { type ProjectManifest, readManifest } from "../../project/read-workspaces.js";
import { UsageError } from "../../project/usage-error.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { compileProject, reportBriefly } from "../project.js";

export interface DeployCommandOptions {
  readonly env: string;
  readonly out: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Only their owner may read them. */
const SECRET = 0o600;

/**
 * Writes what runs the mesh in production. Files that say they are generated are written anew, those of people are made once, and secrets only
 * where they are missing. `--check` writes nothing, and looks at no secret.
 */
export async function deploy(target: DeployTarget, options: DeployCommandOptions): Promise<ExitCode> {
  const compilation = await compileProject();
  reportBriefly(compilation);
  const { mesh } = compilation;
  if (mesh === undefined) return 1;
  if (!/^[a-z0-9][a-z0-9-]*$/.test(options.env))
    throw new UsageError(
      `"${options.env}" is no name for an environment: lower-case letters, digits and dashes`,
    );
  const manifest = await readManifest();
  const planned = await plan(mesh, target, { options, manifest });
  if (options.check) return reportDrift(planned, options);
  for (const { path, text } of planned.write) planned.folder.write(path, text);
  for (const path of planned.remove) planned.folder.remove(path);
  const secrets = await writeSecrets(mesh, target, { folder: planned.folder, environment: options.env });
  report(planned, secrets, { target, options, manifest });
  return 0;
}

interface Planned {
  readonly folder: OutputFolder;
  readonly write: readonly { readonly path: string; readonly text: string }[];
  readonly remove: readonly string[];
  readonly unchanged: number;
}

interface Setting {
  readonly options: DeployCommandOptions;
  readonly manifest: ProjectManifest | undefined;
}

async function plan(mesh: Mesh, target: DeployTarget, { options, manifest }: Setting): Promise<Planned> {
  const [{ deployFiles, ownFolders }, { isMarked }, templates] = await Promise.all([
    import("../../deploy/deploy-files.js"),
    import("../../emit/mark.js"),
    readTemplates(),
  ]);
  const out = existsSync(options.out) ? realpathSync(options.out) : resolve(options.out);
  const folder = openOutputFolder(out);
  const files = deployFiles(mesh, {
    target,
    environment: options.env,
    folder: path(relative(process.cwd(), out)),
    project: path(relative(out, process.cwd())),
    packages: { workspaces: manifest?.workspaces ?? [] },
    accounts: readGenerated("nats.conf"),
    templates,
  });
  const emitted = new Set(files.map((file) => file.path));
  const write = files.filter((file) => {
    const present = folder.read(file.path);
    if (file.owner === "people") return present === undefined;
    if (present !== undefined) refuseForeign(`${options.out}/${file.path}`, present);
    return present !== file.text;
  });
  const remove = ownFolders[target]
    .flatMap((own) => folder.list(own).map((name) => `${own}/${name}`))
    .filter((each) => !emitted.has(each) && isMarked(each, folder.read(each) ?? ""));
  return { folder, write, remove, unchanged: files.length - write.length };
}

/** A file of somebody else's stays: in the Dockerfile, a line for its reader stands above the mark. */
export function refuseForeign(path: string, present: string): void {
  if (present.split("\n", 2).some((line) => line.includes(HEADER))) return;
  throw new UsageError(
    `${path} is yours: nothing in it says that mesh deploy wrote it`,
    "move it away, or name another folder with --out",
  );
}

function path(text: string): string {
  return text === "" ? "." : text.replaceAll(sep, "/");
}

function readGenerated(name: string): string {
  const text = openOutputFolder(GENERATED).read(name);
  if (text === undefined)
    throw new UsageError(`there is no ${GENERATED}/${name}`, "run `mesh generate` first");
  return text;
}

interface SecretsReport {
  /** From the folder. */
  readonly list: string;
  readonly added: readonly string[];
  readonly empty: readonly string[];
}

async function writeSecrets(
  mesh: Mesh,
  target: DeployTarget,
  { folder, environment }: { readonly folder: OutputFolder; readonly environment: string },
): Promise<SecretsReport> {
  const [{ planDeployment }, { postgresAddress, wantedSecrets }, lists, { secretFiles }] = await Promise.all([
    import("../../deploy/deployment.js"),
    import("../../deploy/secret-values.js"),
    import("../../deploy/secret-list.js"),
    import("../../deploy/deploy-files.js"),
  ]);
  const deployment = planDeployment(mesh);
  const list = `secrets/${environment}.env`;
  const present = folder.read(list);
  const { text, added, empty } = lists.completeSecretList(present, wantedSecrets(deployment), {
    mesh: mesh.name,
    environment,
    postgres: postgresAddress(deployment),
    make: makeSecret,
  });
  if (text !== present) folder.write(list, text, SECRET);
  for (const file of secretFiles(mesh, lists.readSecretList(text), { target, environment }))
    if (folder.read(file.path) !== file.text) folder.write(file.path, file.text, SECRET);
  return { list, added, empty };
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Of letters alone, which mean themselves in a URL, in nats.conf, in SQL and to every reader of .env files: 228 bits. */
function makeSecret(): string {
  return Array.from({ length: 40 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}

function reportDrift({ write, remove }: Planned, { json, out, env }: DeployCommandOptions): ExitCode {
  const drift = [
    ...write.map((file) => ({ path: file.path, kind: "outdated" })),
    ...remove.map((each) => ({ path: each, kind: "stale" })),
  ];
  if (json) printJson({ drift });
  else if (drift.length === 0) print(`${colour.green("up to date")}: ${out}, ${env}`);
  else {
    for (const each of drift) print(`${out}/${each.path}: ${colour.yellow(each.kind)}`);
    tell(
      colour.red(`${plural(drift.length, "file")} not as ${MESH_FILE} says: run \`mesh deploy\` and commit`),
    );
  }
  return drift.length === 0 ? 0 : 1;
}

interface Reported extends Setting {
  readonly target: DeployTarget;
}

function report(planned: Planned, secrets: SecretsReport, { target, options, manifest }: Reported): void {
  const { write, remove, unchanged } = planned;
  const { out, env } = options;
  const warnings = warningsOf(manifest);
  if (options.json) {
    printJson({ written: write.map((file) => file.path), removed: remove, unchanged, secrets, warnings });
    return;
  }
  for (const warning of warnings) tell(colour.yellow(warning));
  const removed = remove.length === 0 ? "" : `, ${remove.length} removed`;
  print(
    `${colour.green("deploy")} ${target}, ${env}: ${write.length} written${removed}, ${unchanged} unchanged`,
  );
  if (secrets.added.length > 0)
    print(
      `  ${plural(secrets.added.length, "new secret")} in ${out}/${secrets.list}, which git ignores: keep it`,
    );
  if (secrets.empty.length > 0)
    tell(colour.yellow(`fill in ${secrets.empty.join(", ")} in ${out}/${secrets.list}, and run this again`));
  print(colour.dim(`  next: ${NEXT[target](out, env)}`));
}

const NEXT: Readonly<Record<DeployTarget, (out: string, env: string) => string>> = {
  compose: (out, env) =>
    `${env === "production" ? "" : `MESH_ENV=${env} `}docker compose --project-directory ${out}/compose up --build --detach`,
  kubernetes: (out, env) => `kubectl apply -k ${out}/kubernetes/overlays/${env}`,
};

/** What the Dockerfile counts on. */
function warningsOf(manifest: ProjectManifest | undefined): readonly string[] {
  if (manifest === undefined)
    return ["there is no package.json: the Dockerfile installs what it says (`mesh init` writes one)"];
  return [
    ...("build" in manifest.scripts
      ? []
      : ['package.json has no script "build", which the Dockerfile runs (`mesh init` adds it)']),
    ...(existsSync("package-lock.json")
      ? []
      : ["there is no package-lock.json, from which the Dockerfile installs: run `npm install`"]),
  ];
}
