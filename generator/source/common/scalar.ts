import type { AliasNode, ScalarNode } from "../syntax-node.js";
import {
  COLON,
  type Cursor,
  codeAt,
  DASH,
  DOUBLE_QUOTE,
  giveUp,
  HASH,
  isBlank,
  isFlowIndicator,
  LINE_FEED,
  SINGLE_QUOTE,
  SPACE,
  skipSpaces,
} from "./cursor.js";

/** A scalar of one line, at the cursor. */
export function readScalar(cursor: Cursor, where: "block" | "flow", anchor?: string): ScalarNode {
  const code = codeAt(cursor);
  if (code === DOUBLE_QUOTE) return readDoubleQuoted(cursor, anchor);
  if (code === SINGLE_QUOTE) return readSingleQuoted(cursor, anchor);
  return readPlain(cursor, where === "flow", anchor);
}

/** Of a plain scalar; of the others some begin something else, and some begin nothing. */
const NO_START = new Set([..."?:,[]{}#&*!|>'\"%@`"].map((sign) => sign.charCodeAt(0)));

function readPlain(cursor: Cursor, isFlow: boolean, anchor: string | undefined): ScalarNode {
  const { text, at: start } = cursor;
  const first = text.charCodeAt(start);
  if (NO_START.has(first)) giveUp();
  if (first === DASH && endsPlain(text.charCodeAt(start + 1), isFlow)) giveUp();
  let end = start;
  for (let at = start; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code === LINE_FEED || Number.isNaN(code)) break;
    if (code === COLON && endsPlain(text.charCodeAt(at + 1), isFlow)) break;
    if (isFlow && isFlowIndicator(code)) break;
    if (code !== SPACE) end = at + 1;
    else if (text.charCodeAt(at + 1) === HASH) break;
  }
  cursor.at = end;
  cursor.tokens += 2;
  const source = text.slice(start, end);
  return { kind: "scalar", start, end, anchor, value: resolvePlain(source), source };
}

function endsPlain(code: number, isFlow: boolean): boolean {
  return isBlank(code) || (isFlow && isFlowIndicator(code));
}

const MAYBE_NO_TEXT = /^[-+.0-9~nNtTfF]/;

/** YAML's core schema. */
function resolvePlain(source: string): unknown {
  if (!MAYBE_NO_TEXT.test(source)) return source;
  if (/^(?:~|[Nn]ull|NULL)$/.test(source)) return null;
  if (/^(?:[Tt]rue|TRUE)$/.test(source)) return true;
  if (/^(?:[Ff]alse|FALSE)$/.test(source)) return false;
  if (/^0o[0-7]+$/.test(source)) return Number.parseInt(source.slice(2), 8);
  if (/^[-+]?[0-9]+$/.test(source)) return Number.parseInt(source, 10);
  if (/^0x[0-9a-fA-F]+$/.test(source)) return Number.parseInt(source.slice(2), 16);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(source))
    return Number.parseFloat(source);
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/.test(source)) giveUp();
  return source;
}

function readSingleQuoted(cursor: Cursor, anchor: string | undefined): ScalarNode {
  const { text, at: start } = cursor;
  let close = text.indexOf("'", start + 1);
  while (close !== -1 && text.charCodeAt(close + 1) === SINGLE_QUOTE) close = text.indexOf("'", close + 2);
  const inner = innerOf(cursor, close);
  const source = inner.includes("'") ? inner.replaceAll("''", "'") : inner;
  return { kind: "scalar", start, end: cursor.at, anchor, value: source, source };
}

function readDoubleQuoted(cursor: Cursor, anchor: string | undefined): ScalarNode {
  const { text, at: start } = cursor;
  const inner = innerOf(cursor, text.indexOf('"', start + 1));
  if (inner.includes("\\")) giveUp();
  return { kind: "scalar", start, end: cursor.at, anchor, value: inner, source: inner };
}

function innerOf(cursor: Cursor, close: number): string {
  const { text, at } = cursor;
  if (close === -1) giveUp();
  const inner = text.slice(at + 1, close);
  if (inner.includes("\n")) giveUp();
  cursor.at = close + 1;
  cursor.tokens += 1;
  return inner;
}

/** At "*". */
export function readAlias(cursor: Cursor): AliasNode {
  const start = cursor.at;
  const name = readName(cursor);
  return { kind: "alias", start, end: cursor.at, anchor: undefined, name };
}

/** At "&": with the space behind it, where the line goes on. */
export function readAnchor(cursor: Cursor): string {
  const name = readName(cursor);
  if (!isBlank(codeAt(cursor))) giveUp();
  skipSpaces(cursor);
  return name;
}

/** Behind "*" or "&". */
function readName(cursor: Cursor): string {
  const { text, at } = cursor;
  let end = at + 1;
  for (let code = text.charCodeAt(end); !isBlank(code) && !isFlowIndicator(code); code = text.charCodeAt(end))
    end += 1;
  const name = text.slice(at + 1, end);
  if (name === "" || name.endsWith(":")) giveUp();
  cursor.at = end;
  cursor.tokens += 1;
  return name;
}
