import { ts } from "ts-morph";

/** The files of a project, by their paths from its folder: `hooks/sfs.ts`. */
export interface ProjectFiles {
  /** undefined: there is no such file. */
  readonly read: (path: string) => string | undefined;
}

/**
 * The project's own modules as TypeScript binds them: what each name stands for. Packages and libraries are left out, and so are the
 * generated files: which value a name has never depends on them, and reading them would take seconds.
 */
export interface HookProgram {
  readonly checker: ts.TypeChecker;
  /** undefined: there is no such file. */
  readonly file: (path: string) => ts.SourceFile | undefined;
  /** What keeps the file from being read as TypeScript, at its line; undefined: nothing. */
  readonly syntaxError: (
    file: ts.SourceFile,
  ) => { readonly line: number; readonly message: string } | undefined;
}

const GENERATED = /(^|\/)(generated|node_modules)\//;
const MODULE = /\.[cm]?[jt]sx?$/;

function isOwnModule(path: string): boolean {
  return MODULE.test(path) && !GENERATED.test(path);
}

export function openHookProgram(roots: readonly string[], { read }: ProjectFiles): HookProgram {
  const texts = new Map<string, string | undefined>();
  const readOnce = (path: string) => {
    if (!texts.has(path)) texts.set(path, isOwnModule(path) ? read(path.slice(1)) : undefined);
    return texts.get(path);
  };
  const options: ts.CompilerOptions = {
    allowJs: true,
    noLib: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
  };
  const host: ts.CompilerHost = {
    fileExists: (path) => readOnce(path) !== undefined,
    readFile: readOnce,
    directoryExists: () => true,
    getDirectories: () => [],
    getSourceFile: (path, languageVersion) => {
      const text = readOnce(path);
      return text === undefined ? undefined : ts.createSourceFile(path, text, languageVersion, true);
    },
    getDefaultLibFileName: () => "",
    writeFile: () => {},
    getCurrentDirectory: () => "/",
    getCanonicalFileName: (path) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    resolveModuleNameLiterals: (literals, containing) =>
      literals.map(({ text }) =>
        text.startsWith(".")
          ? ts.resolveModuleName(text, containing, options, host)
          : { resolvedModule: undefined },
      ),
  };
  const program = ts.createProgram(roots.map(rooted), options, host);
  return {
    checker: program.getTypeChecker(),
    file: (path) => program.getSourceFile(rooted(path)),
    syntaxError: (file) => {
      const [first] = program.getSyntacticDiagnostics(file);
      if (first === undefined) return undefined;
      return {
        line: lineOf(file, first.start),
        message: ts.flattenDiagnosticMessageText(first.messageText, " "),
      };
    },
  };
}

/** TypeScript finds modules by absolute paths; those of a project begin at its folder. */
function rooted(path: string): string {
  return `/${path}`;
}

/** From 1. */
export function lineOf(file: ts.SourceFile, position: number): number {
  return file.getLineAndCharacterOfPosition(position).line + 1;
}
