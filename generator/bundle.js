import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/*
 * The command line in a few files beside dist/, which is what is published and run: to find and read its two hundred modules one by
 * one takes longer than `mesh check` does. A file for each command, and what several share in files of its own. Packages stay
 * what they are, but for yaml, which every command reads: its modules for Node are eighty, and ask the environment at each token
 * whether to log it; those for browsers do not.
 *
 * Packages that are CommonJS are required: an import of one has Node look for what it exports in its text first, which takes longer
 * for the nine megabytes of TypeScript than to load it.
 */

const COMMON_JS = /^(ts-morph|ajv|commander|pg)(\/|$)/;

const requireCommonJs = {
  name: "require-common-js",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: COMMON_JS }, ({ path, kind }) =>
      kind === "require-call" ? { path, external: true } : { path, namespace: "common-js" },
    );
    onLoad({ filter: COMMON_JS, namespace: "common-js" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

const outdir = "dist/bundle";
const yaml = dirname(fileURLToPath(import.meta.resolve("yaml/package.json")));

const { metafile } = await build({
  entryPoints: ["dist/cli/main.js"],
  outdir,
  bundle: true,
  splitting: true,
  packages: "external",
  plugins: [requireCommonJs],
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  alias: { yaml: join(yaml, "browser/index.js") },
  format: "esm",
  platform: "node",
  target: "node20.11",
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
  metafile: true,
});
// Of an earlier build, and only now: a command that starts meanwhile finds its files.
const built = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(outdir)) if (!built.has(name)) rmSync(join(outdir, name));
copyFileSync(join(yaml, "LICENSE"), join(outdir, "yaml.LICENSE"));
