import { adviseProgram, checkProgram, codesBesideHooks } from "./check/check-program.js";
import type { HookFile } from "./check/hook-files.js";
import { adviseIgnores, isOfHooks, readIgnores } from "./check/ignores.js";
import { checkTypedConstants } from "./check/typed-constants.js";
import { type Diagnostic, hasErrors } from "./diagnostics/diagnostic.js";
import { type Ignore, type IgnoredDiagnostic, silence } from "./diagnostics/ignore.js";
import { locateMistakes, type Mistake, type Place, placeAt } from "./diagnostics/locate.js";
import { collectDiagnostics, type Diagnostics, type Report } from "./diagnostics/report.js";
import type { Part } from "./flow/part.js";
import { meshShape } from "./language/grammar.js";
import { bindProgram, type Program } from "./language/program.js";
import { describeFound, readShape } from "./language/read.js";
import { buildMesh } from "./model/build/build-mesh.js";
import type { Mesh } from "./model/mesh.js";
import { type FindPlace, findPlaces } from "./places.js";
import { decodeText } from "./source/bytes.js";
import { createSourceText, type Position, type SourceText } from "./source/text.js";
import type { PathStep, Value } from "./source/value.js";
import { readYaml } from "./source/yaml.js";

export interface Compilation {
  /** undefined when there is any error. */
  readonly mesh: Mesh | undefined;
  /** Every mistake of the file, in its order; warnings only where there is no error. */
  readonly diagnostics: readonly Diagnostic[];
  /** Warnings that the file itself says are right as they are. */
  readonly ignored: readonly IgnoredDiagnostic[];
  /** Finds the place in mesh.yaml of mistakes that only show beside what was generated before. */
  readonly locate: (mistakes: readonly Mistake[]) => readonly Diagnostic[];
  /** The same for all that hooks are warned of, where the file may ignore it: then `left` also says what it ignores in vain. */
  readonly locateWarnings: (
    mistakes: readonly Mistake[],
  ) => Pick<Compilation, "ignored"> & { readonly left: readonly Diagnostic[] };
  /** Where a part of the mesh is written; undefined for what nobody writes in the file. */
  readonly placeOf: (part: Part) => Position | undefined;
  /** Where keys lead, or the nearest thing around it. */
  readonly placeAt: (path: readonly PathStep[]) => Place;
  /** Lets go of the syntax, which takes more memory than the mesh: whoever asks for a place afterwards has it read again. */
  readonly forgetSyntax: () => void;
}

export interface CompileOptions {
  /** As diagnostics name it. */
  readonly file: string;
  /** Of the project's folder; undefined: nobody has looked, and nothing is warned of for their lack. */
  readonly hooks?: readonly HookFile[];
  /** Whether warnings are looked for too. Default true. */
  readonly warnings?: boolean;
}

/** From the text of mesh.yaml to what it means. Pure; throws only on a bug of the compiler. */
export function compileMesh(text: string | Uint8Array, options: CompileOptions): Compilation {
  const decoded = typeof text === "string" ? { text, invalidAt: undefined } : decodeText(text);
  const source = createSourceText(decoded.text, options.file);
  const found = collectDiagnostics(source);
  const read = decoded.invalidAt === undefined ? readSyntax(source, found.report) : UNREAD;
  if (decoded.invalidAt !== undefined) reportEncoding(decoded.invalidAt, found.report);
  const { program } = read;
  const ignores = program === undefined ? [] : readIgnores(source, found.report);
  if (program !== undefined) checkProgram(program, found.report);
  const isSound = program !== undefined && !hasErrors(found.list());
  const mesh = isSound ? buildMesh(program) : undefined;
  if (isSound && mesh !== undefined) checkTypedConstants(program, mesh, found.report);
  const isValid = isSound && !hasErrors(found.list());
  const { hooks, warnings = true } = options;
  const ignored = isValid && warnings ? advise({ program, ignores, found, hooks }) : [];
  const syntax = holdSyntax(source, read);
  const locate: Compilation["locate"] = (mistakes) =>
    mistakes.length === 0 ? [] : locateMistakes(mistakes, { source, value: syntax.get().value });
  return {
    mesh: isValid ? mesh : undefined,
    diagnostics: found.list(),
    ignored,
    locate,
    locateWarnings: (mistakes) => locateUnignored(locate(mistakes), ignores, source),
    placeOf: (part) => {
      const span = syntax.get().find(part);
      return span && source.positionAt(span.start);
    },
    placeAt: (path) => placeAt(path, { source, value: syntax.get().value }),
    forgetSyntax: syntax.forget,
  };
}

/** What stands in the file, with its places. */
interface Syntax {
  readonly value: Value | undefined;
  readonly program: Program | undefined;
}

const UNREAD: Syntax = { value: undefined, program: undefined };

function readSyntax(source: SourceText, report: Report): Syntax {
  const value = readYaml(source, report);
  return { value, program: value && readProgram(value, report) };
}

/** The syntax of a text until it is forgotten, and from the next question on again. */
function holdSyntax(source: SourceText, read: Syntax) {
  let held: (Pick<Syntax, "value"> & { readonly find: FindPlace }) | undefined = withPlaces(read);
  return {
    get() {
      held ??= withPlaces(readSyntax(source, collectDiagnostics(source).report));
      return held;
    },
    forget() {
      held = undefined;
    },
  };
}

function withPlaces({ value, program }: Syntax) {
  let found: FindPlace | undefined;
  const find: FindPlace = (part) => {
    found ??= program === undefined ? () => undefined : findPlaces(program);
    return found(part);
  };
  return { value, find };
}

interface Advised {
  readonly program: Program;
  readonly ignores: readonly Ignore[];
  readonly found: Diagnostics;
  readonly hooks: CompileOptions["hooks"];
}

function advise({ program, ignores, found, hooks }: Advised): Compilation["ignored"] {
  adviseProgram(program, found.report, hooks);
  const { ignored, used } = found.silence(ignores);
  const sought = (code: string) =>
    !isOfHooks(code) && (hooks !== undefined || !codesBesideHooks.includes(code));
  adviseIgnores(ignores, { used, sought }, found.report);
  return ignored;
}

function locateUnignored(
  located: readonly Diagnostic[],
  ignores: readonly Ignore[],
  source: SourceText,
): ReturnType<Compilation["locateWarnings"]> {
  const { left, ignored, used } = silence(located, ignores);
  const inVain = collectDiagnostics(source);
  adviseIgnores(ignores, { used, sought: isOfHooks }, inVain.report);
  return { left: [...left, ...inVain.list()], ignored };
}

function reportEncoding(at: number, report: Report): void {
  report(
    "yaml-syntax",
    { start: at, end: at + 1 },
    { reason: "this is no UTF-8: save the file in that encoding" },
  );
}

function readProgram(value: Value, report: Report): Program | undefined {
  if (value.kind === "unread") return undefined;
  if (value.kind !== "mapping") {
    report("not-a-mesh", value.span, { found: describeFound(value) });
    return undefined;
  }
  const node = readShape(meshShape, value, "the file", report);
  return node && bindProgram(node);
}
