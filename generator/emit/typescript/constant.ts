import { type Literal, printTypeScript } from "../print/layout.js";
import { docComment } from "./docs.js";

export interface Constant {
  readonly name: string;
  readonly value: Literal;
  readonly type: string;
  readonly docs?: readonly string[];
}

/**
 * An exported constant, as text: ts-morph would indent what follows an initializer's first line, and
 * a literal that fills a screen is read from the margin.
 */
export function constantStatement({ name, value, type, docs }: Constant): string {
  const opening = `export const ${name}: ${type} = `;
  return `\n${docComment(docs ?? [])}${opening}${printTypeScript(value, { lead: opening.length })};`;
}
