import { POSTGRES_ADDRESS, type Secrets, type WantedSecret } from "./secret-values.js";

/** The list of an environment as a file has it: a name and its value a line, to the line's end as it is. */
export function readSecretList(text: string): Secrets {
  const entries = text.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.trim()] as const];
  });
  return Object.fromEntries(entries);
}

export interface CompletedList {
  /** The list with what it lacked behind what it had. */
  readonly text: string;
  /** Made or asked for just now. */
  readonly added: readonly string[];
  /** People have to fill these in. */
  readonly empty: readonly string[];
}

export interface ListOptions {
  readonly mesh: string;
  readonly environment: string;
  /** Where PostgreSQL is by default. */
  readonly postgres: string;
  readonly make: () => string;
}

/** Changes no line that is there. */
export function completeSecretList(
  present: string | undefined,
  wanted: readonly WantedSecret[],
  options: ListOptions,
): CompletedList {
  const known = readSecretList(present ?? "");
  const missing = wanted.filter(({ name }) => known[name] === undefined);
  const lines = missing.map(
    ({ name, description, from }) =>
      `# ${oneLine(description)}\n${name}=${from === "made" ? options.make() : ""}\n`,
  );
  const start = present ?? head(options);
  const text = missing.length === 0 ? start : [start.replace(/\n*$/, "\n"), ...lines].join("\n");
  const after = readSecretList(text);
  return {
    text,
    added: missing.map(({ name }) => name),
    empty: wanted.filter(({ name, from }) => from === "asked" && !after[name]).map(({ name }) => name),
  };
}

function head({ mesh, environment, postgres }: ListOptions): string {
  return `# Secrets of ${mesh} in ${environment}: keep them, and commit them nowhere.
# \`mesh deploy\` adds what is missing, changes nothing that is here, and hands each process what is its own.
# To rotate one, change its line, deploy again and restart who has it (docs/operations.md).

# Server of the mesh's own databases; a line like AUTH_DB_URL= says one elsewhere
${POSTGRES_ADDRESS}=${postgres}
`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** As Docker reads such a file: what is not in single quotes, it fills in and cuts off at "#". */
export function composeEnv(values: Secrets): string {
  return print(values, (value) =>
    /^[\w:/@.,+=-]*$/.test(value) ? value : `'${value.replaceAll("'", "\\'")}'`,
  );
}

/** As kustomize reads it: all of the line. */
export function kustomizeEnv(values: Secrets): string {
  return print(values, String);
}

function print(values: Secrets, quote: (value: string) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join("");
}
