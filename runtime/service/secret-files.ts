import { readPlainFile } from "../plain-file.js";

/*
 * Secrets in files, as Docker and Kubernetes mount them: each variable X that a service reads may be given as X_FILE, the path of a
 * file with its value. A file that is replaced is read again for each new connection, so a rotated secret needs no restart.
 */

/** Variables as `process.env` has them. An empty value counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables whose values are documents, and which the `nats` command line takes the path of. Here they may be either. */
export interface DocumentVariable {
  readonly name: string;
  /** Whether the value is the document itself. */
  readonly isContent: (value: string) => boolean;
}

export interface FileReading {
  /** With the content of each file under the name of its variable. */
  readonly env: Environment;
  /** What is wrong, by variable. No secret is quoted: a path is, where it begins as paths do. */
  readonly problems: ReadonlyMap<string, string>;
  /**
   * The same as it is now. A file that cannot be read, while it is replaced or for good, counts with what it held before,
   * and `warn` is called with the reason.
   */
  renewed(warn: (problem: string) => void): Environment;
}

/**
 * Reads the files that the environment names for these variables. Empty values count as unset. X_FILE is the file of X only where
 * the service has no variable X_FILE itself.
 */
export function readSecretFiles(
  names: readonly string[],
  given: Environment,
  documents: readonly DocumentVariable[] = [],
): FileReading {
  const known = new Set(names);
  const problems = new Map<string, string>();
  const contents = new Map<string, string | undefined>();
  const files = new Map<string, NamedFile>();
  for (const name of known) {
    const file = ownFile(name, given, known) ?? documentFile(name, given, documents);
    if (file === undefined) continue;
    const read = readNamed(file);
    contents.set(name, read.content);
    files.set(name, file);
    if (read.problem !== undefined) problems.set(name, read.problem);
    if (file.variable !== name && isSet(given[name]))
      problems.set(name, `${name} and ${file.variable} are both set; give one of them`);
  }
  return {
    env: { ...given, ...Object.fromEntries(contents) },
    problems,
    renewed(warn) {
      for (const [name, file] of files) {
        const { content, problem } = readNamed(file);
        if (content === undefined) warn(problem);
        else contents.set(name, content);
      }
      return { ...given, ...Object.fromEntries(contents) };
    },
  };
}

interface NamedFile {
  /** The variable that holds the path. */
  readonly variable: string;
  readonly path: string;
}

function ownFile(name: string, given: Environment, known: ReadonlySet<string>): NamedFile | undefined {
  const variable = `${name}_FILE`;
  const path = given[variable];
  return isSet(path) && !known.has(variable) ? { variable, path } : undefined;
}

function documentFile(
  name: string,
  given: Environment,
  documents: readonly DocumentVariable[],
): NamedFile | undefined {
  const value = given[name];
  const document = documents.find((one) => one.name === name);
  return document !== undefined && isSet(value) && !document.isContent(value)
    ? { variable: name, path: value }
    : undefined;
}

type Reading =
  | { readonly content: string; readonly problem?: undefined }
  | { readonly content?: undefined; readonly problem: string };

/** The content without one line break at its end, which editors and `echo` add. */
function readNamed({ variable, path }: NamedFile): Reading {
  const named = /^(\/|~|\.{1,2}\/|[A-Za-z]:[\\/])/.test(path) ? `, ${JSON.stringify(path)},` : "";
  const { text, problem } = readPlainFile(path);
  if (problem !== undefined) return { problem: `the file of ${variable}${named} ${problem}` };
  const content = text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "");
  return content === "" ? { problem: `the file of ${variable}${named} is empty` } : { content };
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
