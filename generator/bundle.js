import { copyFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/*
 * The command line in a few files beside dist/, which is what is published and run: to find and read its two hundred modules one by
 * one takes longer than `mesh check` does. A file for each command, and what several share in files of its own. Packages stay
 * what they are, but for yaml, which every command reads: its modules for Node are eighty, and ask the environment at each token
 * whether to log it; those for browsers do not.
 */

const outdir = "dist/bundle";
const yaml = dirname(fileURLToPath(import.meta.resolve("yaml/package.json")));

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ["dist/cli/main.js"],
  outdir,
  bundle: true,
  splitting: true,
  packages: "external",
  alias: { yaml: join(yaml, "browser/index.js") },
  format: "esm",
  platform: "node",
  target: "node20.11",
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});
copyFileSync(join(yaml, "LICENSE"), join(outdir, "yaml.LICENSE"));
