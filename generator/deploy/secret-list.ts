import type { Secrets, WantedSecret } from "./secret-values.js";

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
  /** Offered just now, switched off. */
  readonly offered: readonly string[];
}

export interface ListOptions {
  readonly mesh: string;
  readonly environment: string;
  readonly make: () => string;
}

/** Changes no line that is there, but to switch on an empty one that another target has offered, and this one asks for. */
export function completeSecretList(
  present: string | undefined,
  wanted: readonly WantedSecret[],
  options: ListOptions,
): CompletedList {
  const before = readSecretList(present ?? "");
  const switchedOn = wanted
    .filter(({ name, from }) => from === "asked" && before[name] === undefined)
    .reduce(
      (text, { name }) => text?.replace(new RegExp(`^[ \\t]*#${name}=[ \\t]*$`, "m"), `${name}=`),
      present,
    );
  const known = readSecretList(switchedOn ?? "");
  const missing = wanted.filter(({ name, from }) =>
    from === "offered"
      ? !new RegExp(`^[ \\t]*#?${name}=`, "m").test(switchedOn ?? "")
      : known[name] === undefined,
  );
  const lines = missing.map((secret) => `# ${oneLine(secret.description)}\n${line(secret, options)}\n`);
  const start = switchedOn ?? head(options);
  const text = missing.length === 0 ? start : [start.replace(/\n*$/, "\n"), ...lines].join("\n");
  const after = readSecretList(text);
  return {
    text,
    added: missing.filter(({ from }) => from !== "offered").map(({ name }) => name),
    offered: missing.filter(({ from }) => from === "offered").map(({ name }) => name),
    empty: wanted.filter(({ name, from }) => from === "asked" && !after[name]).map(({ name }) => name),
  };
}

function line({ name, from, default: value = "" }: WantedSecret, { make }: ListOptions): string {
  switch (from) {
    case "made":
      return `${name}=${make()}`;
    case "asked":
      return `${name}=`;
    case "offered":
      return `#${name}=${value}`;
    default:
      return from satisfies never;
  }
}

function head({ mesh, environment }: ListOptions): string {
  return `# Secrets of ${mesh} in ${environment}: keep them, and commit them nowhere.
# \`mesh deploy\` adds what is missing, changes nothing that is here, and hands each process what is its own.
# To rotate one, change its line and deploy again, which says who has to start anew.
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
