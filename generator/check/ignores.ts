import type { Ignore } from "../diagnostics/ignore.js";
import { definitionOf, diagnosticCodes } from "../diagnostics/registry.js";
import type { Report } from "../diagnostics/report.js";
import { commentsWith } from "../source/comments.js";
import type { SourceText, Span } from "../source/text.js";
import { hookWarnings } from "./hook-files.js";

const WORD = "mesh-ignore";
const COMMENT = /(?:^|\s)#+[ \t]*mesh-ignore\b(.*)$/;
const CONTENT = /^([ \t]+)([\w-]+)[ \t]*:[ \t]+(\S.*)$/;

/** Said of the project's hooks beside the whole mesh, not of the file alone. */
export const isOfHooks = (code: string): boolean => hookWarnings.some((known) => known === code);

const ignorable: ReadonlyMap<string, undefined> = new Map(
  [...diagnosticCodes.filter((code) => definitionOf(code).severity === "warning"), ...hookWarnings].map(
    (code) => [code, undefined],
  ),
);

/** Reports what names no warning, or gives no reason. */
export function readIgnores(source: SourceText, report: Report): readonly Ignore[] {
  return commentsWith(WORD, source).flatMap(({ text, span }) => {
    const said = COMMENT.exec(text)?.[1];
    if (said === undefined) return [];
    const [, space = "", code = "", reason] = CONTENT.exec(said) ?? [];
    const start = span.end - said.length;
    if (reason === undefined) {
      report("malformed-ignore", { start: start - WORD.length, end: span.end }, {});
      return [];
    }
    const at = { start: start + space.length, end: start + space.length + code.length };
    if (ignorable.has(code))
      return [{ code, reason: reason.trimEnd(), span: at, line: lineSilenced(span, source) }];
    const isError = diagnosticCodes.some((known) => known === code);
    report("unknown-code", at, { code, isError }, isError ? undefined : report.nearest(code, ignorable));
    return [];
  });
}

/** Its own; of a comment that has the line to itself the next one that is no comment. */
function lineSilenced({ start }: Span, source: SourceText): number {
  const isComment = (line: number) => source.lineAt(line).trimStart().startsWith("#");
  let { line } = source.positionAt(start);
  while (isComment(line)) line += 1;
  return line;
}

/** `sought`: whether somebody has looked for what the code says. Where nobody has, an ignore may still be needed. */
export function adviseIgnores(
  ignores: readonly Ignore[],
  { used, sought }: { readonly used: ReadonlySet<Ignore>; readonly sought: (code: string) => boolean },
  report: Report,
): void {
  for (const ignore of ignores) {
    const { code, span } = ignore;
    if (!used.has(ignore) && sought(code)) report("unused-ignore", span, { code });
  }
}
