import { fillLines, LINE_WIDTH, type Literal, printTypeScript, RETURNED } from "../print/layout.js";
import { docComment } from "./docs.js";

export interface Constant {
  readonly name: string;
  readonly value: Literal;
  /** Its type; absent where the value says it best. */
  readonly type?: string;
  /** A type that the constant value must fit, and that does not become its own. */
  readonly satisfies?: string;
  readonly docs?: readonly string[];
}

/** An exported constant. */
export function constantStatement({ name, value, type, satisfies, docs }: Constant): string {
  const opening = `export const ${name}${type === undefined ? "" : `: ${type}`} = `;
  const closing = satisfies === undefined ? "" : ` as const satisfies ${satisfies}`;
  return `${docComment(docs ?? [])}${opening}${printTypeScript(value, { lead: opening.length })}${closing};`;
}

export interface TypeAlias {
  readonly name: string;
  /** Types that it is all of. */
  readonly intersection: readonly string[];
  readonly docs: readonly string[];
}

/** An exported type. */
export function typeStatement({ name, intersection, docs }: TypeAlias): string {
  const opening = `export type ${name} = `;
  const line = `${opening}${intersection.join(" & ")};`;
  const broken = intersection.map((type) => `\n  & ${type}`).join("");
  const isWide = line.length > LINE_WIDTH && intersection.length > 1;
  return `${docComment(docs)}${isWide ? `${opening.trimEnd()}${broken};` : line}`;
}

export interface HookedFunction {
  readonly name: string;
  /** The type of its one parameter. */
  readonly hooks: string;
  /** It may be called without hooks. */
  readonly isOptional: boolean;
  readonly returnType: string;
  /** What it returns. */
  readonly value: Literal;
  readonly docs: readonly string[];
}

/** An exported function of the hooks that a user passes in. */
export function functionStatement({
  name,
  hooks,
  isOptional,
  returnType,
  value,
  docs,
}: HookedFunction): string {
  const opening = `export function ${name}(hooks: ${hooks}${isOptional ? " = {}" : ""}): ${returnType} {`;
  const body = `return ${printTypeScript(value, RETURNED)};`.replaceAll("\n", "\n  ");
  return `${docComment(docs)}${opening}\n  ${body}\n}`;
}

/** A type of the runtime with parameters, each a union: on one line where it fits there behind `lead` columns. */
export function genericType(
  generic: string,
  parameters: readonly (readonly string[])[],
  lead: number,
): string {
  const line = `${generic}<${parameters.map((union) => union.join(" | ")).join(", ")}>`;
  const broken = parameters.map((union) => fillLines(union, LINE_WIDTH - 4, " | ").join("\n    | "));
  return lead + line.length < LINE_WIDTH ? line : `${generic}<\n  ${broken.join(",\n  ")}\n>`;
}
