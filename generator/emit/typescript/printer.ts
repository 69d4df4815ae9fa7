import { IndentationText, type InterfaceDeclarationStructure, Project, QuoteKind } from "ts-morph";
import { type EmittedFile, HEADER } from "../file.js";
import type { Imports } from "./imports.js";

/** A structure, or text: ts-morph parses what it has printed, which takes longer than all else that emitting a literal does. */
export type Statement = InterfaceDeclarationStructure | string;

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

export type Printer = (files: readonly FileSource[]) => EmittedFile[];

type Interface = InterfaceDeclarationStructure;

/** What ts-morph has made of a structure, by its JSON: a watching process prints each one once. */
const known = new Map<string, string>();

/**
 * Prints statements as TypeScript, a blank line between them. The interfaces of all files that are printed together become one file of
 * one project first, without the standard library, a file system or a type checker, which is forgotten once it is taken apart.
 */
export function openPrinter(): Printer {
  let project: Project | undefined;
  const printStructures = (structures: ReadonlyMap<string, Interface>): void => {
    project ??= openProject();
    // Always the same path: ts-morph looks through all folders that it knows for each that is new.
    const file = project.createSourceFile("/generated.ts", { statements: [...structures.values()] });
    const text = file.getFullText();
    const keys = [...structures.keys()];
    for (const [index, { pos, end }] of file.compilerNode.statements.entries())
      known.set(keys[index] ?? "", text.slice(pos, end).trim());
    file.forget();
  };
  return (files) => {
    const structures = files.flatMap(({ source }) =>
      source.statements.flatMap((statement) => (typeof statement === "string" ? [] : [statement])),
    );
    const unknown = new Map(
      structures.map((each) => [JSON.stringify(each), each] as const).filter(([key]) => !known.has(key)),
    );
    if (unknown.size > 0) printStructures(unknown);
    return files.map(({ path, source, below }) => ({
      path,
      text: below === undefined ? printSource(source) : `${printSource(source)}\n${below}`,
    }));
  };
}

function openProject(): Project {
  return new Project({
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
}

/** Its interfaces have been printed. */
function printSource({ comments = [], imports, statements }: SourceText): string {
  const texts = statements.map((statement) =>
    typeof statement === "string" ? statement : known.get(JSON.stringify(statement)),
  );
  const head = [`// ${HEADER}`, ...comments, ...imports.declarations()].join("\n");
  return `${[head, ...texts].join("\n\n")}\n`;
}
