import { record } from "../../project/read-workspaces.js";
import { UsageError } from "../../project/usage-error.js";
import { STARTER_DEVELOPMENT, STARTER_SCRIPTS } from "./starter.js";

/** package.json with what a mesh needs added; nothing that is there is changed. */
export function completePackage(present: string | undefined, version: string, name: string): string {
  const before = present === undefined ? { name, private: true, version: "0.1.0" } : parsePackage(present);
  const dependencies = { ...record(before.dependencies) };
  const development = { ...record(before.devDependencies) };
  dependencies["@meshwright/runtime"] ??= `^${version}`;
  for (const [dependency, range] of Object.entries({ meshwright: `^${version}`, ...STARTER_DEVELOPMENT })) {
    if (!(dependency in dependencies)) development[dependency] ??= range;
  }
  const after = {
    ...before,
    // Generated code is ESM; `npm init` of recent clients writes "commonjs" unasked.
    type: "module",
    scripts: { ...STARTER_SCRIPTS, ...record(before.scripts) },
    dependencies,
    devDependencies: development,
  };
  return `${JSON.stringify(after, null, 2)}\n`;
}

/** A file for git with the lines that a mesh needs; undefined when they are all there. */
export function completeLines(present: string | undefined, needed: readonly string[]): string | undefined {
  const lines = new Set((present ?? "").split(/\r?\n/).map((line) => line.trim()));
  const missing = needed.filter((line) => !lines.has(line) && !lines.has(line.replace(/\/$/, "")));
  if (missing.length === 0) return undefined;
  const start = present && !present.endsWith("\n") ? `${present}\n` : (present ?? "");
  return `${start}${missing.join("\n")}\n`;
}

function parsePackage(text: string): Record<string, unknown> {
  try {
    return record(JSON.parse(text));
  } catch (cause) {
    throw new UsageError("package.json is not JSON: put it right first", undefined, { cause });
  }
}
