import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface PackedPackage {
  readonly name: string;
  readonly tarball: string;
}

/** Packs every package of the workspace as it would be published, from the last build, into this folder. */
export function packPackages(folder: string): readonly PackedPackage[] {
  const answer = execFileSync(
    "npm",
    ["pack", "--workspaces", "--json", "--ignore-scripts", "--pack-destination", folder],
    { cwd: ROOT, encoding: "utf8", stdio: "pipe" },
  );
  const packed = JSON.parse(answer) as readonly { readonly name: string; readonly filename: string }[];
  return packed.map(({ name, filename }) => ({ name, tarball: join(folder, filename) }));
}

/** As `npm install` of the packed packages would leave the folder, with their dependencies as links. */
export function installPackages(folder: string): void {
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (!/^\.|meshwright/.test(name)) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  for (const { name, tarball } of packPackages(folder)) {
    mkdirSync(join(modules, name), { recursive: true });
    execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", join(modules, name)]);
  }
}
