import { IndentationText, Project, QuoteKind, type StatementStructures } from "ts-morph";
import { HEADER } from "../file.js";
import type { Imports } from "./imports.js";

/** A structure, or a statement that is text already. */
export type Statement = StatementStructures | string;

export interface SourceText {
  /** Lines below the header, above the imports. */
  readonly comments?: readonly string[];
  readonly imports: Imports;
  readonly statements: readonly Statement[];
}

export type Printer = (source: SourceText) => string;

/**
 * Prints structures as TypeScript. One project serves a whole run, without the standard library, a file
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
  return ({ comments = [], imports, statements }) => {
    // Always the same path: ts-morph looks through all folders that it knows for each that is new.
    const file = project.createSourceFile("/generated.ts", {
      statements: [`// ${HEADER}`, ...comments, ...imports.declarations(), ...statements],
    });
    const text = file.getFullText();
    file.forget();
    // After a block ts-morph leaves a blank line of its own, beside the one that a text statement begins with.
    return text.replaceAll(/\n{3,}/g, "\n\n");
  };
}
