import { fillLines, LINE_WIDTH, type Literal, printTypeScript } from "../print/layout.js";
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

/**
 * An exported constant, as text: ts-morph would indent what follows an initializer's first line, and
 * a literal that fills a screen is read from the margin.
 */
export function constantStatement({ name, value, type, satisfies, docs }: Constant): string {
  const opening = `export const ${name}${type === undefined ? "" : `: ${type}`} = `;
  const closing = satisfies === undefined ? "" : ` as const satisfies ${satisfies}`;
  return `\n${docComment(docs ?? [])}${opening}${printTypeScript(value, { lead: opening.length })}${closing};`;
}

export interface TypeAlias {
  readonly name: string;
  /** A type of the runtime. */
  readonly generic: string;
  /** Each a union of types. */
  readonly parameters: readonly (readonly string[])[];
  readonly docs: readonly string[];
}

/** An exported type, as text for the same reason. */
export function typeStatement({ name, generic, parameters, docs }: TypeAlias): string {
  const opening = `export type ${name} = ${generic}<`;
  const line = `${opening}${parameters.map((union) => union.join(" | ")).join(", ")}>;`;
  const broken = parameters.map((union) => fillLines(union, LINE_WIDTH - 4, " | ").join("\n    | "));
  const text = line.length <= LINE_WIDTH ? line : `${opening}\n  ${broken.join(",\n  ")}\n>;`;
  return `\n${docComment(docs)}${text}`;
}
