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
  key: (name) => (name === SPREAD ? name : `${propertyName(name)}: `),
  trailing: ",",
};
const JSON_TEXT: Syntax = { key: (name) => `${JSON.stringify(name)}: `, trailing: "" };

/** A property's name as TypeScript writes it. */
export function propertyName(name: string): string {
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
  return print(measure(literal, TYPESCRIPT), {
    syntax: TYPESCRIPT,
    width: LINE_WIDTH - margin,
    indent: "",
    lead,
  });
}

export function printJson(literal: Literal): string {
  const syntax = JSON_TEXT;
  return `${print(measure(literal, syntax), { syntax, width: LINE_WIDTH, indent: "", lead: 0 })}\n`;
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

/** A literal as it will be printed, and its columns where that is on one line: measured once, however deep it is. */
type Measured = MeasuredLeaf | MeasuredBranch;

interface MeasuredLeaf {
  readonly text: string;
  readonly columns: number;
}

interface MeasuredBranch {
  readonly text?: never;
  readonly columns: number;
  readonly kind: "list" | "call" | "object";
  readonly open: string;
  readonly entries: readonly MeasuredEntry[];
  readonly close: string;
}

interface MeasuredEntry {
  /** Lines of its doc comment, each with its end. */
  readonly above: string;
  readonly label: string;
  readonly value: Measured;
}

function measure(literal: Literal, syntax: Syntax): Measured {
  if (typeof literal !== "object" || literal === null) return measuredLeaf(JSON.stringify(literal));
  if (Array.isArray(literal)) return measuredItems("list", literal, syntax);
  // A list is one for the type too, but its type guard does not know lists that are readonly.
  const branch = literal as Exclude<typeof literal, readonly Literal[]>;
  if (isDocumented(branch)) return measure(branch.value, syntax);
  if (isCode(branch)) return measuredLeaf(branch[verbatim]);
  return isCall(branch) ? measuredItems(branch, branch.items, syntax) : measuredObject(branch, syntax);
}

function measuredLeaf(text: string): MeasuredLeaf {
  return { text, columns: text.length };
}

function measuredItems(of: "list" | Call, items: readonly Literal[], syntax: Syntax): MeasuredBranch {
  const [kind, open, close] =
    of === "list" ? (["list", "[", "]"] as const) : (["call", `${of[callee]}(`, ")"] as const);
  const entries = items.map((item) => ({ above: "", label: "", value: measure(item, syntax) }));
  return { kind, open, entries, close, columns: columnsOf(entries) + open.length + close.length };
}

function measuredObject(
  members: { readonly [key: string]: Literal | undefined },
  syntax: Syntax,
): MeasuredBranch {
  const entries: MeasuredEntry[] = [];
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue;
    entries.push({ above: commentOf(value), label: syntax.key(name), value: measure(value, syntax) });
  }
  const braces = entries.length === 0 ? 2 : 4;
  return { kind: "object", open: "{", entries, close: "}", columns: columnsOf(entries) + braces };
}

function columnsOf(entries: readonly MeasuredEntry[]): number {
  let columns = Math.max(0, entries.length - 1) * 2;
  for (const { label, value } of entries) columns += label.length + value.columns;
  return columns;
}

interface Position {
  readonly syntax: Syntax;
  readonly width: number;
  readonly indent: string;
  readonly lead: number;
}

function print(literal: Measured, position: Position): string {
  if (literal.text !== undefined) return literal.text;
  const { syntax, width, indent, lead } = position;
  const { kind, open, entries, close, columns } = literal;
  const [only, ...others] = kind === "call" ? entries : [];
  if (only !== undefined && others.length === 0)
    return `${open}${print(only.value, { ...position, lead: lead + open.length })}${close}`;
  const isBroken = entries.some(({ above }) => above !== "");
  // One column is kept for the comma that may follow.
  if (entries.length === 0 || (!isBroken && indent.length + lead + columns < width))
    return printFlat(literal);
  const inner = `${indent}  `;
  const items = entries.map(
    ({ above, label, value }) =>
      (above === "" ? "" : above.replaceAll("\n", `\n${inner}`)) +
      label +
      (value.text ?? print(value, { syntax, width, indent: inner, lead: label.length })),
  );
  // Arguments have no labels to look for at the beginning of a line.
  const lines = kind === "call" ? fillLines(items, width - inner.length) : items;
  return `${open}\n${inner}${lines.join(`,\n${inner}`)}${syntax.trailing}\n${indent}${close}`;
}

function printFlat(literal: Measured): string {
  if (literal.text !== undefined) return literal.text;
  const { kind, open, entries, close } = literal;
  const space = kind === "object" && entries.length > 0 ? " " : "";
  const items = entries.map(({ label, value }) => label + printFlat(value));
  return open + space + items.join(", ") + space + close;
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

function isDocumented(literal: object): literal is Documented {
  return comment in literal;
}

function isCode(literal: object): literal is Code {
  return verbatim in literal;
}

function isCall(literal: object): literal is Call {
  return callee in literal;
}

function commentOf(literal: Literal): string {
  return typeof literal === "object" && literal !== null && isDocumented(literal) ? literal[comment] : "";
}
