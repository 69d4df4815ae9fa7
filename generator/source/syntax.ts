import { Composer, CST, type Document, Lexer, Parser } from "yaml";
import type { Report } from "../diagnostics/report.js";
import { findConflictMarker } from "./conflict-markers.js";
import { MAXIMUM_DEPTH, MAXIMUM_TEXT, MAXIMUM_TOKENS } from "./maximum-sizes.js";
import type { SourceText } from "./text.js";

/*
 * From the text to the library's nodes, in its own three steps, since each must end in time whatever stands in the
 * text: what is too much, too deep or broken is found before the step that would take it up.
 */

/** undefined: it is no YAML, or too much of it, which is reported already. */
export function parseSyntax(source: SourceText, report: Report): Document | undefined {
  if (source.text.length > MAXIMUM_TEXT) {
    report("too-large", NOWHERE, { what: "the file holds", limit: `${MAXIMUM_TEXT / 2 ** 20} MiB` });
    return undefined;
  }
  if (hasUnprintable(source.text, report)) return undefined;
  const marker = findConflictMarker(source.text);
  if (marker !== undefined) {
    report("conflict-marker", marker, {});
    return undefined;
  }
  const read = readTokens(source.text, report);
  if (read === undefined) return undefined;
  const { tokens, unclosed, isLong } = read;
  if (isLong && unclosed[0] !== undefined) {
    reportUnclosed(unclosed[0], source, report);
    return undefined;
  }
  const { document, faults } = compose(tokens, source.text.length);
  reportFaults(faults, { unclosed, source, report });
  return faults.length > 0 ? undefined : document;
}

const NOWHERE = { start: 0, end: 0 };

/** What YAML does not allow in a text, within quotes and comments neither. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r\u007f-\u009f]|\p{Cs}|\r(?!\n)/u;

function hasUnprintable(text: string, report: Report): boolean {
  const found = UNPRINTABLE.exec(text);
  if (found === null) return false;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const reason =
    found[0] === "\r"
      ? "this line ends with a carriage return alone: save the file with line feeds"
      : `the character U+${code} stands here, which YAML does not allow in a file`;
  report("yaml-syntax", { start: found.index, end: found.index + found[0].length }, { reason });
  return true;
}

interface Tokens {
  readonly tokens: readonly CST.Token[];
  /** Offsets of brackets that nothing closes. */
  readonly unclosed: readonly number[];
  /** What follows from brackets that do not pair is then left unsaid: it would take as long as all the rest. */
  readonly isLong: boolean;
}

const LONG = 50_000;

function readTokens(text: string, report: Report): Tokens | undefined {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const open: number[] = [];
  const unclosed: number[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (lexeme === "{" || lexeme === "[") open.push(offset);
    else if (lexeme === "}" || lexeme === "]") open.pop();
    else if (lexeme === CST.FLOW_END) unclosed.push(...open.splice(0));
    count += 1;
    if (count > MAXIMUM_TOKENS) {
      const limit = `${MAXIMUM_TOKENS.toLocaleString("en")} words and marks`;
      report("too-large", { start: offset, end: offset }, { what: "up to here the file holds", limit });
      return undefined;
    }
    if (parser.stack.length > MAXIMUM_DEPTH + 1) {
      report("too-deep", { start: offset, end: offset + lexeme.length }, { limit: MAXIMUM_DEPTH });
      return undefined;
    }
  }
  unclosed.push(...open);
  return { tokens: [...tokens, ...parser.end()], unclosed, isLong: count > LONG };
}

/** Each at its place; the parser's own words, which `explain` knows by the code. */
interface Fault {
  readonly start: number;
  readonly end: number;
  readonly code: string;
  readonly message: string;
}

/** After that many the parser only stumbles on. */
const MAXIMUM_FAULTS = 100;

class TooManyFaults extends Error {}

interface Composed {
  readonly document: Document | undefined;
  readonly faults: readonly Fault[];
}

function compose(tokens: readonly CST.Token[], length: number): Composed {
  const faults: Fault[] = [];
  let document: Document | undefined;
  const find = (start: number, end: number, code: string, message: string) => {
    if (faults.length >= MAXIMUM_FAULTS) throw new TooManyFaults();
    faults.push({ start, end, code, message });
  };
  const take = (documents: Iterable<Document>) => {
    for (const each of documents) {
      const [start = 0, end = 0] = each.range ?? [];
      if (document !== undefined) find(start, end, "MULTIPLE_DOCS", "");
      document ??= each;
    }
  };
  const composer = openComposer(find);
  try {
    for (const token of tokens) {
      if (token.type !== "error") take(composer.next(token));
      else find(token.offset, token.offset + token.source.length, "UNEXPECTED_TOKEN", wordsOf(token));
    }
    take(composer.end(true, length));
    for (const { pos, code, message } of document?.errors ?? []) find(...pos, code, message);
  } catch (error) {
    if (!(error instanceof TooManyFaults)) throw error;
  }
  return { document, faults };
}

function wordsOf({ message, source }: CST.ErrorToken): string {
  return source === "" ? message : `${message}: ${JSON.stringify(source)}`;
}

/** An offset, the two of a range, or a token. */
type FaultPlace =
  | number
  | readonly [number, number, ...unknown[]]
  | { readonly offset: number; readonly source?: string };

/** The library's own handler makes an error with a stack for each mistake, of which a text may have millions. */
function openComposer(find: (start: number, end: number, code: string, message: string) => void): Composer {
  // It compares each key with all others of its mapping; what reads the nodes does that in linear time.
  const composer = new Composer({ uniqueKeys: false, schema: "core" });
  const onError = (at: FaultPlace, code: string, message: string, isWarning?: boolean) => {
    if (isWarning === true) return;
    if (typeof at === "number") find(at, at + 1, code, message);
    else if ("offset" in at) find(at.offset, at.offset + (at.source?.length ?? 1), code, message);
    else find(at[0], at[1], code, message);
  };
  Object.defineProperty(composer, "onError", { value: onError });
  return composer;
}

interface FaultContext {
  readonly unclosed: readonly number[];
  readonly source: SourceText;
  readonly report: Report;
}

/** The parser stumbles on after an error: until the next top-level key, what it says is its own confusion. */
function reportFaults(faults: readonly Fault[], { unclosed, source, report }: FaultContext): void {
  const { text } = source;
  let trustedFrom = 0;
  for (const { start, end, code, message } of faults.toSorted((a, b) => a.start - b.start)) {
    const offset = Math.min(start, text.length);
    if (offset < trustedFrom) continue;
    const opener = /^Flow (?:sequence|map)/.test(message)
      ? unclosed.findLast((at) => at < offset)
      : undefined;
    if (opener === undefined) {
      report(
        "yaml-syntax",
        { start: offset, end: Math.max(offset, end) },
        { reason: isListInBraces(text, offset) ? LIST_IN_BRACES : explain(code, message) },
      );
    } else reportUnclosed(opener, source, report);
    const next = /\n[A-Za-z]/g;
    next.lastIndex = offset;
    trustedFrom = next.test(text) ? next.lastIndex - 1 : text.length + 1;
  }
}

/** `{ type: text[] }`: a type that is right in a block, and no YAML between braces. */
function isListInBraces(text: string, at: number): boolean {
  return /\w\)?$/.test(text.slice(Math.max(0, at - 2), at)) && text.startsWith("[]", at);
}

const LIST_IN_BRACES = 'within braces a type of lists stands in quotes: "text[]"';

function reportUnclosed(opener: number, { text }: SourceText, report: Report): void {
  report(
    "yaml-syntax",
    { start: opener, end: opener + 1 },
    { reason: `this "${text[opener]}" is not closed` },
  );
}

function explain(code: string, message: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab is used for indentation, which YAML does not allow";
    case "MULTIPLE_DOCS":
      return 'a second document starts here ("---"): a mesh is one document';
    case "BAD_ALIAS":
      return "an anchor or alias needs a name";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return 'a key and its ":" must stand on one line; look for a missing ":" or a wrong indentation';
    default:
      return message.charAt(0).toLowerCase() + message.trimEnd().slice(1).replace(/[.:]$/, "");
  }
}
