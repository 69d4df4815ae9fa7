import { IndentationText, type InterfaceDeclarationStructure, Project, QuoteKind } from "ts-morph";
import { HEADER } from "../file.js";
import type { Imports } from "./imports.js";

/** A structure, or text: ts-morph parses what it has printed, which takes longer than all else that emitting a literal does. */
export type Statement = InterfaceDeclarationStructure | string;

export interface SourceText {
  /** Lines below the header, above the imports. */
  readonly comments?: readonly string[];
  readonly imports: Imports;
  readonly statements: readonly Statement[];
}

export type Printer = (source: SourceText) => string;

/**
 * Prints statements as TypeScript, a blank line between them. One project serves a whole run, without the standard library, a file
 * system or a type checker, and forgets each file once it is printed: that is what keeps it linear.
 */
export function openPrinter(): Printer {
  const project = new Project({
    useInMemoryFileSystem: true,
    skipLoadingLibFiles: true,
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
    compilerOptions: { noLib: true },
    manipulationSettings: {
      indentationText: IndentationText.TwoSpaces,
      quoteKind: QuoteKind.Double,
      useTrailingCommas: true,
    },
  });
  const printStructures = (statements: readonly InterfaceDeclarationStructure[]): readonly string[] => {
    // Always the same path: ts-morph looks through all folders that it knows for each that is new.
    const file = project.createSourceFile("/generated.ts", { statements: [...statements] });
    const text = file.getFullText();
    const printed = file.compilerNode.statements.map(({ pos, end }) => text.slice(pos, end).trim());
    file.forget();
    return printed;
  };
  return ({ comments = [], imports, statements }) => {
    const structures = statements.filter((statement) => typeof statement !== "string");
    const printed = structures.length === 0 ? [] : printStructures(structures);
    const texts = statements.map((statement) =>
      typeof statement === "string" ? statement : printed[structures.indexOf(statement)],
    );
    const head = [`// ${HEADER}`, ...comments, ...imports.declarations()].join("\n");
    return `${[head, ...texts].join("\n\n")}\n`;
  };
}
