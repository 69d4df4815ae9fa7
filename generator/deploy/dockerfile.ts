import { posix } from "node:path";

/** What the project's package.json says about how it is built, and what of it runs. */
export interface DockerPackages {
  /** Of the project's workspaces, where it has any. */
  readonly workspaces: readonly Workspace[];
  /** Files of the project that its lock installs from: `vendor/meshwright-0.1.0.tgz`. */
  readonly tarballs: readonly string[];
}

export interface Workspace {
  readonly name: string;
  /** From the project: `packages/hooks`. */
  readonly folder: string;
  /** Whether the project needs it in production, directly or by another. */
  readonly production: boolean;
}

const SOURCES = copyLine(".", ".");

/** What stands behind COPY: sources, then where to. A path with a blank has to stand in quotes, and then all. */
function copyLine(...paths: readonly string[]): string {
  return paths.some((path) => /\s/.test(path)) ? JSON.stringify(paths) : paths.join(" ");
}

/** A project of workspaces is installed with their code, which may be built on the way. */
export function dockerfileView({ workspaces, tarballs }: DockerPackages) {
  const install = "npm ci --omit=dev --ignore-scripts --no-audit --no-fund";
  const manifest = copyLine("package.json", "package-lock.json", "./");
  const manifests = [manifest, ...copies(tarballs)];
  const production = workspaces.filter((workspace) => workspace.production);
  if (workspaces.length === 0)
    return {
      manifests,
      productionManifests: manifests,
      sources: [SOURCES],
      install,
      linked: [],
    };
  const only = production.map(({ name }) => ` --workspace ${name}`).join("");
  return {
    manifests: [SOURCES],
    sources: [],
    productionManifests: [
      ...manifests,
      ...workspaces.map(({ folder }) => copyLine(`${folder}/package.json`, `${folder}/`)),
    ],
    install: `${install} --include-workspace-root${only}`,
    linked: production.flatMap(({ folder }) =>
      [`${folder}/package.json`, `${folder}/dist`].map((path) => copyLine(`/app/${path}`, `./${path}`)),
    ),
  };
}

/** One line for each folder, in which they stay. */
function copies(paths: readonly string[]) {
  const folders = [...new Set(paths.map((path) => posix.dirname(path)))];
  return folders.map((folder) =>
    copyLine(...paths.filter((path) => posix.dirname(path) === folder), `${folder}/`),
  );
}
