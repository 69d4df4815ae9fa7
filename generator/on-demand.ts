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
