/*
 * Literals, laid out: what fits on a line stays on one, what does not is broken entry by entry. JSON
 * files and the object literals of generated TypeScript share it, so that both read alike.
 */

/** Text that is printed as it stands, where a string would be quoted. */
export interface Code {
  readonly [verbatim]: string;
}
const verbatim = Symbol("code");

export function code(text: string): Code {
  return { [verbatim]: text };
}

/** A literal with a doc comment above it: as an entry of an object, which is then never printed on one line. */
export interface Documented {
  readonly [comment]: string;
  readonly value: Literal;
}
const comment = Symbol("doc comment");

/** `text`: whole lines, each with its end. */
export function documented(text: string, value: Literal): Documented {
  return { [comment]: text, value };
}

/** The key of an entry that takes over all members of another object. */
export const SPREAD = "...";

/** A function's call: its arguments are laid out as a list's items are. */
export interface Call {
  readonly [callee]: string;
  readonly items: readonly Literal[];
}
const callee = Symbol("call");

export function call(name: string, ...items: readonly Literal[]): Call {
  return { [callee]: name, items };
}

/** Properties that are undefined are left out. */
export type Literal = Leaf | Branch | Documented;
type Leaf = null | boolean | number | string | Code;
type Branch = Call | readonly Literal[] | { readonly [key: string]: Literal | undefined };

interface Syntax {
  /** With what separates it from its value. */
  key(name: string): string;
  /** After the last entry of a broken list. */
  readonly trailing: "" | ",";
}

const TYPESCRIPT: Syntax = {
  key: (name) => (name === SPREAD ? name : `${propertyKey(name)}: `),
  trailing: ",",
};
const JSON_TEXT: Syntax = { key: (name) => `${JSON.stringify(name)}: `, trailing: "" };

function propertyKey(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** Columns of a generated line. */
export const LINE_WIDTH = 110;

export interface Place {
  /** Columns that precede the literal on its first line, and follow it on its last. */
  readonly lead?: number;
  /** Columns by which all its lines will be moved to the right. */
  readonly margin?: number;
}

/** As the value that a function of the module returns. */
export const RETURNED: Place = { lead: "return ;".length, margin: 2 };

export function printTypeScript(literal: Literal, { lead = 0, margin = 0 }: Place = {}): string {
  return print(literal, { syntax: TYPESCRIPT, width: LINE_WIDTH - margin, indent: "", lead });
}

export function printJson(literal: Literal): string {
  return `${print(literal, { syntax: JSON_TEXT, width: LINE_WIDTH, indent: "", lead: 0 })}\n`;
}

interface Position {
  readonly syntax: Syntax;
  readonly width: number;
  readonly indent: string;
  readonly lead: number;
}

/** The settings that are not as by default. */
export function differing<Settings extends Readonly<Record<string, Literal>>>(
  settings: Settings,
  defaults: Readonly<Record<keyof Settings, Literal>>,
): Readonly<Record<string, Literal>> {
  const said = Object.entries(settings).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]),
  );
  return Object.fromEntries(said);
}

function print(literal: Literal, position: Position): string {
  const { syntax, width, indent } = position;
  if (isDocumented(literal)) return print(literal.value, position);
  if (!isBranch(literal)) return printLeaf(literal);
  const [only, ...others] = isCall(literal) ? literal.items : [];
  if (isCall(literal) && only !== undefined && others.length === 0) {
    const name = `${literal[callee]}(`;
    return `${name}${print(only, { ...position, lead: position.lead + name.length })})`;
  }
  const { open, entries, close } = takeApart(literal, syntax);
  const isBroken = entries.some(({ above }) => above !== "");
  if (!isBroken && roomAfter(literal, width) >= 0) {
    const flat = printFlat(literal, syntax);
    // One column is kept for the comma that may follow.
    if (indent.length + position.lead + flat.length < width || entries.length === 0) return flat;
  }
  const inner = `${indent}  `;
  const items = entries.map(
    ({ above, label, value }) =>
      above.replaceAll("\n", `\n${inner}`) +
      label +
      print(value, { ...position, indent: inner, lead: label.length }),
  );
  // Arguments have no labels to look for at the beginning of a line.
  const lines = isCall(literal) ? fillLines(items, width - inner.length) : items;
  return `${open}\n${inner}${lines.join(`,\n${inner}`)}${syntax.trailing}\n${indent}${close}`;
}

/** As many on a line as fit it, a comma behind the last included. */
export function fillLines(items: readonly string[], width: number, separator = ", "): readonly string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + separator.length + item.length < width)
      lines[lines.length - 1] = last + separator + item;
    else lines.push(item);
  }
  return lines;
}

/**
 * Columns that are left of so many, at most, where the literal stands on one line; below zero there is no room for it. It stops there:
 * printing each branch on one line before it is broken would take the square of their number.
 */
function roomAfter(literal: Literal, columns: number): number {
  if (isDocumented(literal)) return roomAfter(literal.value, columns);
  if (!isBranch(literal)) return columns - (typeof literal === "string" ? literal.length : 1);
  const members = isCall(literal) ? literal.items : literal;
  let left = columns;
  for (const [name, value] of Object.entries(members)) {
    if (left < 0) break;
    if (value !== undefined) left = roomAfter(value, isList(members) ? left : left - name.length);
  }
  return left;
}

function printFlat(literal: Literal, syntax: Syntax): string {
  if (isDocumented(literal)) return printFlat(literal.value, syntax);
  if (!isBranch(literal)) return printLeaf(literal);
  const { open, entries, close } = takeApart(literal, syntax);
  const space = open === "{" && entries.length > 0 ? " " : "";
  const items = entries.map(({ label, value }) => label + printFlat(value, syntax));
  return open + space + items.join(", ") + space + close;
}

interface Parts {
  readonly open: string;
  readonly entries: readonly { readonly above: string; readonly label: string; readonly value: Literal }[];
  readonly close: string;
}

function takeApart(branch: Branch, syntax: Syntax): Parts {
  const unlabelled = (value: Literal) => ({ above: "", label: "", value });
  if (isList(branch)) return { open: "[", entries: branch.map(unlabelled), close: "]" };
  if (isCall(branch))
    return { open: `${branch[callee]}(`, entries: branch.items.map(unlabelled), close: ")" };
  const entries = Object.entries(branch).flatMap(([name, value]) =>
    value === undefined ? [] : { above: commentOf(value), label: syntax.key(name), value },
  );
  return { open: "{", entries, close: "}" };
}

function printLeaf(leaf: Leaf): string {
  return typeof leaf === "object" && leaf !== null ? leaf[verbatim] : JSON.stringify(leaf);
}

function isBranch(literal: Literal): literal is Branch {
  return typeof literal === "object" && literal !== null && !(verbatim in literal) && !(comment in literal);
}

function isDocumented(literal: Literal): literal is Documented {
  return typeof literal === "object" && literal !== null && comment in literal;
}

function commentOf(literal: Literal): string {
  return isDocumented(literal) ? literal[comment] : "";
}

function isList(branch: Branch): branch is readonly Literal[] {
  return Array.isArray(branch);
}

function isCall(branch: Branch): branch is Call {
  return callee in branch;
}
