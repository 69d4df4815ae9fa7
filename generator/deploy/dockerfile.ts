/** What the project's package.json says about how it is built, and what of it runs. */
export interface DockerPackages {
  /** Of the project's workspaces, where it has any. */
  readonly workspaces: readonly Workspace[];
}

export interface Workspace {
  readonly name: string;
  /** From the project: `packages/hooks`. */
  readonly folder: string;
  /** Whether the project needs it in production, directly or by another. */
  readonly production: boolean;
}

const SOURCES = { from: ".", to: "." };

/** A project of workspaces is installed with their code, which may be built on the way. */
export function dockerfileView({ workspaces }: DockerPackages) {
  const install = "npm ci --omit=dev --ignore-scripts --no-audit --no-fund";
  const manifest = { from: "package.json package-lock.json", to: "./" };
  const production = workspaces.filter((workspace) => workspace.production);
  if (workspaces.length === 0)
    return {
      manifests: [manifest],
      productionManifests: [manifest],
      sources: [SOURCES],
      install,
      linked: [],
    };
  const only = production.map(({ name }) => ` --workspace ${name}`).join("");
  return {
    manifests: [SOURCES],
    sources: [],
    productionManifests: [
      manifest,
      ...workspaces.map(({ folder }) => ({ from: `${folder}/package.json`, to: `${folder}/` })),
    ],
    install: `${install} --include-workspace-root${only}`,
    linked: production.flatMap(({ folder }) => [`${folder}/package.json`, `${folder}/dist`]),
  };
}
