import { readRegularFile } from "./regular-file.js";
import { UsageError } from "./usage-error.js";

const MOST_BYTES = 1024 * 1024;

/** What package.json says about how a project is installed and built. */
export interface ProjectManifest {
  readonly scripts: Readonly<Record<string, unknown>>;
  /** Packages of this project, where it has any: `-w` of npm. */
  readonly workspaces: readonly {
    readonly name: string;
    readonly folder: string;
    /** Whether the project needs it in production, directly or by another. */
    readonly production: boolean;
  }[];
}

interface Manifest {
  readonly name?: unknown;
  readonly scripts?: unknown;
  readonly workspaces?: unknown;
  readonly dependencies?: unknown;
}

/** undefined: there is no package.json in this folder. A pattern of workspaces is refused. */
export async function readManifest(): Promise<ProjectManifest | undefined> {
  const root = await readPackage("package.json");
  if (root === undefined) return undefined;
  const folders = Array.isArray(root.workspaces) ? root.workspaces.map(String) : [];
  const pattern = folders.find((folder) => folder.includes("*"));
  if (pattern !== undefined)
    throw new UsageError(
      `package.json has workspaces by a pattern, "${pattern}", and the Dockerfile has to name each`,
      "list their folders",
    );
  const packages = await Promise.all(
    folders.map(async (folder) => ({ folder, manifest: await readPackage(`${folder}/package.json`) })),
  );
  const needed = closure(root, new Map(packages.map(({ manifest }) => [String(manifest?.name), manifest])));
  return {
    scripts: record(root.scripts),
    workspaces: packages.map(({ folder, manifest }) => {
      const name = String(manifest?.name);
      return { name, folder, production: needed.has(name) };
    }),
  };
}

function closure(root: Manifest, packages: ReadonlyMap<string, Manifest | undefined>): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (manifest: Manifest | undefined) => {
    for (const name of Object.keys(record(manifest?.dependencies))) {
      if (found.has(name) || !packages.has(name)) continue;
      found.add(name);
      visit(packages.get(name));
    }
  };
  visit(root);
  return found;
}

async function readPackage(path: string): Promise<Manifest | undefined> {
  const bytes = await readRegularFile(path, MOST_BYTES);
  if (bytes === undefined) return undefined;
  try {
    return record(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new UsageError(`${path} is not JSON`, undefined, { cause });
  }
}

/** A member of package.json that holds others; empty where it is anything else. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
