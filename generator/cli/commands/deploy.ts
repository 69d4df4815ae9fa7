import { existsSync, realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import type { DeployTarget } from "../../deploy/deploy-targets.js";
import type { Deployment, HookVariables } from "../../deploy/deployment.js";
import { plural } from "../../diagnostics/plural.js";
import { HEADER, type OutputFolder } from "../../emit/file.js";
import type { Mesh } from "../../model/mesh.js";
import { type LocalPackages, readLocalPackages } from "../../project/local-packages.js";
import { openOutputFolder } from "../../project/output-folder.js";
import { readTemplates } from "../../project/package.js";
import { GENERATED, MESH_FILE } from "../../project/paths.js";
import { type ProjectManifest, readManifest } from "../../project/read-workspaces.js";
import { UsageError } from "../../project/usage-error.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import type { PlannedSecrets } from "../deploy/plan-secrets.js";
import type { ExitCode } from "../exit-code.js";
import { compileProject, reportBriefly, reportDiagnostics } from "../project.js";
import { hookPaths, readHookFiles, readProjectText } from "../read-hook-files.js";

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
 * where they are missing. `--check` writes nothing, and looks at secrets where their list is at hand, which it is not in CI.
 */
export async function deploy(target: DeployTarget, options: DeployCommandOptions): Promise<ExitCode> {
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  if (options.json && mesh === undefined) reportDiagnostics(diagnostics, true);
  else reportBriefly(compilation);
  if (mesh === undefined) return 1;
  if (!/^[a-z0-9][a-z0-9-]*$/.test(options.env))
    throw new UsageError(
      `"${options.env}" is no name for an environment: lower-case letters, digits and dashes`,
    );
  const [manifest, hooks, { planDeployment }, { planSecrets }] = await Promise.all([
    readManifest(),
    readHookVariables(mesh),
    import("../../deploy/deployment.js"),
    import("../deploy/plan-secrets.js"),
  ]);
  const local = await readLocalPackages(manifest?.workspaces.map(({ folder }) => folder) ?? []);
  const deployment = planDeployment(mesh, hooks);
  const planned = await plan(deployment, target, { options, manifest, local });
  const { folder } = planned;
  const secrets = planSecrets(deployment, { folder, target, environment: options.env });
  const unfit = findUnfit(manifest, local);
  if (options.check) return reportDrift(planned, secrets, { target, options, unfit });
  for (const { path, text } of planned.write) folder.write(path, text);
  for (const path of planned.remove) folder.remove(path);
  for (const { path, text } of secrets.write) folder.write(path, text, SECRET);
  return report(planned, secrets, { deployment, target, options, unfit });
}

/** TypeScript is loaded only for a mesh that has hooks. */
async function readHookVariables(mesh: Mesh): Promise<HookVariables> {
  const paths = hookPaths(mesh, await readHookFiles());
  if (paths.size === 0) return new Map();
  const { readEnvironment } = await import("../../hook-reads/environment-reads.js");
  return new Map(
    [...paths].map(([service, path]) => [service, readEnvironment(path, { read: readProjectText })]),
  );
}

interface Planned {
  readonly folder: OutputFolder;
  readonly write: readonly { readonly path: string; readonly text: string }[];
  readonly remove: readonly string[];
  readonly unchanged: number;
  /** Whether people have changed none of their files yet: nothing runs so far. */
  readonly isFirst: boolean;
}

interface Setting {
  readonly options: DeployCommandOptions;
  readonly manifest: ProjectManifest | undefined;
  readonly local: LocalPackages | undefined;
}

async function plan(
  deployment: Deployment,
  target: DeployTarget,
  { options, manifest, local }: Setting,
): Promise<Planned> {
  const [{ deployFiles, ownFolders }, { isMarked }, templates] = await Promise.all([
    import("../../deploy/deploy-files.js"),
    import("../../emit/mark.js"),
    readTemplates(),
  ]);
  const out = existsSync(options.out) ? realpathSync(options.out) : resolve(options.out);
  const folder = openOutputFolder(out);
  const files = deployFiles(deployment, {
    target,
    environment: options.env,
    folder: path(relative(process.cwd(), out)),
    project: path(relative(out, process.cwd())),
    packages: { workspaces: manifest?.workspaces ?? [], tarballs: local?.tarballs ?? [] },
    generated: readGenerated,
    templates,
  });
  const emitted = new Set(files.map((file) => file.path));
  const people = files.filter((file) => file.owner === "people");
  // All or none: who has taken one away does not want it.
  const isNew = people.every((file) => folder.read(file.path) === undefined);
  const isFirst =
    people.length > 0 && people.every((file) => [undefined, file.text].includes(folder.read(file.path)));
  const write = files.filter((file) => {
    const present = folder.read(file.path);
    if (file.owner === "people") return isNew;
    if (present !== undefined) refuseForeign(`${options.out}/${file.path}`, present);
    return present !== file.text;
  });
  const remove = ownFolders[target]
    .flatMap((own) => folder.list(own).map((name) => `${own}/${name}`))
    .filter((each) => !emitted.has(each) && isMarked(each, folder.read(each) ?? ""));
  return { folder, write, remove, unchanged: files.length - write.length, isFirst };
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

interface Reported {
  readonly target: DeployTarget;
  readonly options: DeployCommandOptions;
  /** Why no image comes of it. */
  readonly unfit: readonly string[];
}

function reportDrift(
  planned: Planned,
  secrets: PlannedSecrets,
  { target, options, unfit }: Reported,
): ExitCode {
  const { json, out, env } = options;
  const drift = [
    ...planned.write.map((file) => ({ path: file.path, kind: "outdated" })),
    ...planned.remove.map((each) => ({ path: each, kind: "stale" })),
    ...(secrets.isPresent ? secrets.write.map((file) => ({ path: file.path, kind: "outdated" })) : []),
    ...(secrets.isPresent
      ? secrets.empty.map((name) => ({ path: secrets.list, kind: `${name} is empty` }))
      : []),
  ];
  const isFine = drift.length === 0 && unfit.length === 0;
  if (json) printJson({ drift, secrets: secrets.isPresent, unfit });
  else {
    for (const reason of unfit) tell(colour.red(reason));
    for (const each of drift) print(`${out}/${each.path}: ${colour.yellow(each.kind)}`);
    if (!secrets.isPresent)
      print(colour.dim(`secrets were not looked at: there is no ${out}/${secrets.list}`));
    if (isFine) print(`${colour.green("up to date")}: ${out}, ${env}`);
    else if (drift.length > 0)
      tell(
        colour.red(
          `${plural(drift.length, "difference")} to ${MESH_FILE} and secrets: run \`${commandOf(target, options)}\`${planned.write.length + planned.remove.length > 0 ? ", and commit" : ""}`,
        ),
      );
  }
  return isFine ? 0 : 1;
}

function commandOf(target: DeployTarget, { env, out }: DeployCommandOptions): string {
  const given = [env === "production" ? "" : ` --env ${env}`, out === "deploy" ? "" : ` --out ${out}`];
  return `mesh deploy ${target}${given.join("")}`;
}

async function report(
  planned: Planned,
  secrets: PlannedSecrets,
  reported: Reported & { readonly deployment: Deployment },
): Promise<ExitCode> {
  const { write, remove, unchanged, isFirst } = planned;
  const { deployment, target, options, unfit } = reported;
  const { out, env } = options;
  const { list, added, empty, offered, changed, otherPort } = secrets;
  const warnings =
    otherPort === undefined
      ? []
      : [
          `policies let PostgreSQL through at 5432, and it is at ${otherPort}: kustomization.yaml has a patch for that`,
        ];
  const { firstSteps, releaseStep, restartSteps } = await import("../../deploy/next-steps.js");
  const placed = { target, environment: env, out };
  const code = empty.length + unfit.length === 0 ? 0 : 1;
  // What lacks a secret does not start, and what lacks a file is not built.
  const steps =
    code === 1 ? [] : isFirst ? firstSteps(deployment, placed) : [releaseStep(deployment, placed)];
  const restarts = changed.length === 0 || isFirst ? [] : restartSteps(deployment, placed, changed);
  if (options.json) {
    printJson({
      written: write.map((file) => file.path),
      removed: remove,
      unchanged,
      secrets: { list, added, empty, offered, changed },
      warnings,
      unfit,
      next: steps,
    });
    return code;
  }
  for (const warning of warnings) tell(colour.yellow(warning));
  const removed = remove.length === 0 ? "" : `, ${remove.length} removed`;
  print(
    `${colour.green("deploy")} ${target}, ${env}: ${write.length} written${removed}, ${unchanged} unchanged`,
  );
  if (added.length > 0)
    print(`  ${plural(added.length, "new secret")} in ${out}/${list}, which git ignores: keep it`);
  if (offered.length > 0) print(`  lines there that are switched off: ${offered.join(", ")}`);
  if (empty.length > 0)
    tell(colour.yellow(`fill in ${empty.join(", ")} in ${out}/${list}, and run this again`));
  for (const reason of unfit) tell(colour.red(reason));
  if (code === 1) return code;
  for (const line of restarts) print(`  ${line}`);
  const [only = "", ...others] = steps;
  if (others.length === 0) print(colour.dim(`  next: ${only}`));
  else for (const line of ["next:", ...steps.map((step) => `  ${step}`)]) print(colour.dim(`  ${line}`));
  return code;
}

/** What the Dockerfile counts on, and the project does not have. */
function findUnfit(
  manifest: ProjectManifest | undefined,
  local: LocalPackages | undefined,
): readonly string[] {
  if (manifest === undefined)
    return ["there is no package.json: the Dockerfile installs what it says (`mesh init` writes one)"];
  return [
    ...("build" in manifest.scripts
      ? []
      : ['package.json has no script "build", which the Dockerfile runs (`mesh init` adds it)']),
    ...(local === undefined
      ? ["there is no package-lock.json, from which the Dockerfile installs: run `npm install`"]
      : placesOf(local)),
  ];
}

function placesOf({ outside, folders }: LocalPackages): readonly string[] {
  return [
    ...(outside.length === 0
      ? []
      : [
          `package-lock.json installs ${outside.join(", ")}, outside of this folder, which no image has: put ${outside.length === 1 ? "it" : "them"} into the folder (\`npm install ./vendor/NAME.tgz\`), or take it from a registry, and run this again`,
        ]),
    ...(folders.length === 0
      ? []
      : [
          `package-lock.json installs the folder ${folders.join(", ")}, which the Dockerfile does not copy ahead: name it in "workspaces" of package.json`,
        ]),
  ];
}
