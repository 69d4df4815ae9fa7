import { createRequire } from "node:module";
import type { Ajv2020 } from "ajv/dist/2020.js";
import type Handlebars from "handlebars";

/*
 * Packages that most runs of `check` and `diff` do without, and that take longer to load than those take: each is loaded by the first
 * that needs it, at once, as `import()` is not.
 */

const load = createRequire(import.meta.url);

export function loadAjv(): { readonly Ajv2020: typeof Ajv2020 } {
  return load("ajv/dist/2020.js");
}

export function loadSqlParser(): typeof import("pgsql-ast-parser") {
  return load("pgsql-ast-parser");
}

export function loadHandlebars(): typeof Handlebars {
  return load("handlebars");
}

type Precompiled = Parameters<typeof Handlebars.template>[0] & {
  readonly compiler: readonly [number, string];
};

/** The half of Handlebars that runs what was compiled, and knows whose work it can run. */
export function loadHandlebarsRuntime(): Pick<typeof Handlebars, "template"> & {
  readonly COMPILER_REVISION: number;
} {
  return load("handlebars/runtime");
}

/** What the build made of a template, and of which text; undefined where this is run from its source. */
export function loadPrecompiled(
  path: string,
): { readonly text: string; readonly main: Precompiled } | undefined {
  try {
    // Of the bundle.
    return load(`../templates/${path}.cjs`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
