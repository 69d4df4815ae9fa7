import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { deployFiles } from "../../generator/deploy/deploy-files.js";
import type { DeployTarget } from "../../generator/deploy/deploy-targets.js";
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

/** Of a project without workspaces, in `deploy/` where no other folder is named: texts by their paths. */
export function deployed(
  mesh: Mesh,
  target: DeployTarget,
  folder = "deploy",
): Readonly<Record<string, string>> {
  const files = deployFiles(mesh, {
    target,
    environment: "production",
    folder,
    project: "..",
    packages: { workspaces: [] },
    accounts: "accounts {}\n",
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

/** All of base and components. */
export function objectsOf(mesh: Mesh): readonly AnyObject[] {
  return Object.entries(deployed(mesh, "kubernetes"))
    .filter(
      ([path]) =>
        /^kubernetes\/(base|components)\/.*\.yaml$/.test(path) && !path.endsWith("kustomization.yaml"),
    )
    .flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS() as AnyObject | null))
    .filter((object): object is AnyObject => object !== null);
}
