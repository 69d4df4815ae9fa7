import { setFlagsFromString } from "node:v8";
import type { HookFile } from "../check/hook-files.js";
import { type Compilation, compileMesh } from "../compile.js";
import { type Counted, countDiagnostics, type Diagnostic, hasErrors } from "../diagnostics/diagnostic.js";
import { diagnosticsToJson, type Paint, renderDiagnostics } from "../diagnostics/render.js";
import type { Severity } from "../diagnostics/severity.js";
import { MESH_FILE } from "../project/paths.js";
import { readRegularFile } from "../project/regular-file.js";
import { UsageError } from "../project/usage-error.js";
import { MOST_BYTES } from "../source/bytes.js";
import { colour, printJson, tell } from "../terminal/terminal.js";
import { readHookFiles } from "./read-hook-files.js";

/** All that a compilation follows from. */
export interface Sources {
  readonly bytes: Uint8Array;
  readonly hooks: readonly HookFile[];
}

export async function compileProject(): Promise<Compilation> {
  return compileSources(await readSources());
}

/** For commands that answer from the mesh, and show of mesh.yaml its errors alone: nobody would read its warnings. */
export async function compileForErrors(): Promise<Compilation> {
  optimiseLater();
  return compileMesh((await readSources()).bytes, { file: MESH_FILE, warnings: false });
}

/** For commands that end soon: a fifth of their processor time is V8 optimising what hardly runs again. V8 11 alone, of Node 20, is told: one without the flag would complain. */
export function optimiseLater(): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=400000");
}

export function compileSources({ bytes, hooks }: Sources): Compilation {
  return compileMesh(bytes, { file: MESH_FILE, hooks });
}

export async function readSources(): Promise<Sources> {
  const bytes = await readRegularFile(MESH_FILE, MOST_BYTES);
  if (bytes !== undefined) return { bytes, hooks: await readHookFiles() };
  throw new UsageError(
    `there is no ${MESH_FILE} in ${process.cwd()}`,
    "start a new mesh with `mesh init`, or from a database that exists with `mesh adopt postgres://…`",
  );
}

export const severityColour: Readonly<Record<Severity, (text: string) => string>> = {
  error: colour.red,
  warning: colour.yellow,
};

const PAINT: Paint = {
  place: colour.cyan,
  severity: (text, severity) => severityColour[severity](text),
  source: String,
  underline: colour.red,
  hint: colour.dim,
};

/** What a command that writes has left undone where there are errors. */
export const UNWRITTEN = "; nothing was written";

/** For commands that write. The errors; of warnings how many there are, since `mesh check` has them all. */
export function reportBriefly({ mesh, diagnostics }: Compilation): void {
  if (mesh === undefined) reportDiagnostics(diagnostics, false, UNWRITTEN);
  else countWarnings(diagnostics);
}

export function countWarnings(diagnostics: readonly Diagnostic[]): void {
  const [first] = diagnostics;
  if (first === undefined) return;
  const { file, start, code } = first;
  const place = `${file}:${start.line}:${start.column}`;
  const where = diagnostics.length === 1 ? `${code} at ${place}` : `the first is ${code} at ${place}`;
  tell(`${colour.yellow(`${countDiagnostics(diagnostics)}`)}: ${where}; see \`mesh check\``);
}

/** For people on stderr, for programs on stdout. `consequence` ends the line that counts errors: what a command that writes has left undone. */
export function reportDiagnostics(
  diagnostics: readonly Diagnostic[],
  json: boolean | undefined,
  consequence = "",
): void {
  if (json) {
    printJson({ diagnostics: diagnosticsToJson(diagnostics) });
    return;
  }
  tellDiagnostics(diagnostics);
  tellCount(diagnostics, consequence);
}

export function tellDiagnostics(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length > 0) tell(renderDiagnostics(diagnostics, PAINT));
}

/** Behind them, how many there are; nothing of none. */
export function tellCount(diagnostics: readonly Counted[], consequence: string): void {
  const count = countDiagnostics(diagnostics);
  if (count === undefined) return;
  tell(hasErrors(diagnostics) ? colour.red(`${count}${consequence}`) : colour.yellow(count));
}
