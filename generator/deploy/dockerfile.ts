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

/**
 * What stands behind COPY: sources, then where to. A path with a blank has to stand in quotes, and then all. A variable is meant by `$`
 * anywhere, a pattern by `*`, `?` and `[` in a source.
 */
function copyLine(...paths: readonly string[]): string {
  const escaped = paths.map((path, at) =>
    (at === paths.length - 1 ? path : path.replaceAll(/[*?[]/g, "[$&]")).replaceAll("$", "\\$"),
  );
  return escaped.some((path) => /\s/.test(path)) ? JSON.stringify(escaped) : escaped.join(" ");
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
