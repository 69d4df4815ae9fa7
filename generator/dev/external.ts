import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Service } from "../model/mesh.js";
import { shellWord } from "../quote/shell.js";

/** What a service that is written by hand needs to take part in this run, to be sourced by a shell. */
export function externalFile(folder: string, service: string): string {
  return join(folder, `${service}.env`);
}

/** Holds a password and keys, made up for this run: readable by its owner alone. Resolves to the way to remove it. */
export async function writeExternal(
  folder: string,
  { name, consumers }: Service,
  variables: NodeJS.ProcessEnv,
): Promise<() => Promise<void>> {
  const file = externalFile(folder, name);
  const notes = [
    `# ${name} is external. Any client of NATS publishes its events as this user.`,
    ...consumers.map(
      ({ stream, durable, filter }) =>
        `# It hears ${filter} from the durable ${durable} of the stream ${stream}.`,
    ),
  ];
  const lines = Object.entries(variables).map(([variable, value]) => `${variable}=${shellWord(value ?? "")}`);
  await rm(file, { force: true });
  await writeFile(file, `${[...notes, ...lines].join("\n")}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}

/** The same, for our own commands; nothing where no such file is. */
export async function readExternal(folder: string, service: string): Promise<NodeJS.ProcessEnv> {
  const text = await readFile(externalFile(folder, service), "utf8").catch(() => "");
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = "", word = ""]) => [name, unquote(word)]),
  );
}

/** What `shellWord` made of it. */
function unquote(word: string): string {
  return word.startsWith("'") ? word.slice(1, -1).replaceAll("'\\''", "'") : word;
}
