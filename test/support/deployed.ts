import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { deployFiles } from "../../generator/deploy/deploy-files.js";
import type { DeployTarget } from "../../generator/deploy/deploy-targets.js";
import { type HookVariables, planDeployment } from "../../generator/deploy/deployment.js";
import { HEADER } from "../../generator/emit/file.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { ROOT } from "./compile.js";
import type { AnyObject } from "./kubernetes-objects.js";

/** Each template by its path. */
export function templatesOf(folder: string): Readonly<Record<string, string>> {
  const root = join(ROOT, "templates");
  return Object.fromEntries(
    readdirSync(join(root, folder)).map((name) => [
      `${folder}/${name}`,
      readFileSync(join(root, folder, name), "utf8"),
    ]),
  );
}

const templates = templatesOf("deploy");

export interface DeployedOptions {
  readonly folder?: string;
  readonly hooks?: HookVariables;
  readonly tarballs?: readonly string[];
}

/** Of a project without workspaces, in `deploy/` where no other folder is named: texts by their paths. */
export function deployed(
  mesh: Mesh,
  target: DeployTarget,
  { folder = "deploy", hooks, tarballs = [] }: DeployedOptions = {},
): Readonly<Record<string, string>> {
  const files = deployFiles(planDeployment(mesh, hooks), {
    target,
    environment: "production",
    folder,
    project: "..",
    packages: { workspaces: [], tarballs },
    generated: (name) => `# ${HEADER} ${name}\n`,
    templates,
  });
  return Object.fromEntries(files.map(({ path, text }) => [path, text]));
}

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: string;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly profiles?: readonly string[];
}

export interface ComposeFile {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, object>>;
}

export function composeOf(mesh: Mesh): ComposeFile {
  return parse(deployed(mesh, "compose")["compose/compose.yaml"] ?? "");
}

export interface Overlay {
  readonly secretGenerator: readonly { readonly name: string }[];
  readonly patches?: readonly { readonly target: object; readonly patch: string }[];
}

/** What stands behind a "#" without a space is switched off in the kustomization that people get. */
export function switchedOn(text: string): string {
  return text.replace(/^#(?=\S| {2})/gm, "");
}

/** `all`: with all of it switched on. */
export function overlayOf(mesh: Mesh, { all }: { readonly all: boolean }): Overlay {
  const text = deployed(mesh, "kubernetes")["kubernetes/overlays/production/kustomization.yaml"] ?? "";
  return parse(all ? switchedOn(text) : text);
}

/** All of base and components. */
export function objectsOf(mesh: Mesh): readonly AnyObject[] {
  return Object.entries(deployed(mesh, "kubernetes"))
    .filter(
      ([path]) =>
        /^kubernetes\/(base|components)\/.*\.yaml$/.test(path) &&
        !/(kustomization|secret-names)\.yaml$/.test(path),
    )
    .flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS() as AnyObject | null))
    .filter((object): object is AnyObject => object !== null);
}
