import { rmSync } from "node:fs";
import { build } from "esbuild";

/*
 * The command line in a few files beside dist/, which is what is published and run: to find and read its two hundred modules one by
 * one takes longer than `mesh check` does. A file for each command, and what several share in files of its own. Packages stay
 * what they are.
 */

const outdir = "dist/bundle";

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ["dist/cli/main.js"],
  outdir,
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20.11",
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});
