import { CodeBlockWriter, type OptionalKind, type PropertySignatureStructure, Writers } from "ts-morph";
import { type EmittedFile, HEADER } from "../file.js";
import { docComment } from "./docs.js";
import type { Imports } from "./imports.js";

/** An exported interface, or text. */
export type Statement = Interface | string;

export interface Interface {
  readonly name: string;
  readonly extends?: readonly string[];
  /** As `docs` has made them. */
  readonly docs: readonly string[];
  readonly properties: readonly OptionalKind<PropertySignatureStructure>[];
}

export interface SourceText {
  /** Lines below the header, above the imports. */
  readonly comments?: readonly string[];
  readonly imports: Imports;
  readonly statements: readonly Statement[];
}

/** A file to be: its path, and what stands below the printed source. */
export interface FileSource {
  readonly path: string;
  readonly source: SourceText;
  readonly below?: string;
}

/** Prints statements as TypeScript, a blank line between them. */
export function printFile({ path, source, below }: FileSource): EmittedFile {
  const text = printSource(source);
  return { path, text: below === undefined ? text : `${text}\n${below}` };
}

function printSource({ comments = [], imports, statements }: SourceText): string {
  const texts = statements.map((statement) =>
    typeof statement === "string" ? statement : printInterface(statement),
  );
  const head = [`// ${HEADER}`, ...comments, ...imports.declarations()].join("\n");
  return `${[head, ...texts].join("\n\n")}\n`;
}

/** By its JSON, what an interface is printed as: a watching process prints each one once. */
const printed = new Map<string, string>();

function printInterface(structure: Interface): string {
  const key = JSON.stringify(structure);
  const text = printed.get(key) ?? printStructure(structure);
  printed.set(key, text);
  return text;
}

/** By ts-morph's printer of members, with no file of a project around it: ts-morph would parse what it has printed there. */
function printStructure({ name, docs, extends: bases, properties }: Interface): string {
  const writer = new CodeBlockWriter({ indentNumberOfSpaces: 2 });
  const extending = bases === undefined ? "" : ` extends ${bases.join(", ")}`;
  writer.write(`${docComment(docs)}export interface ${name}${extending} `);
  if (properties.length === 0) writer.inlineBlock();
  else Writers.objectType({ properties: [...properties] })(writer);
  return writer.toString();
}
