import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from "@nats-io/jwt";
import { UsageError } from "./usage-error.js";

/*
 * Where the keys of a mesh are: seeds of the operator and of accounts, which sign, and .creds files of users. A key is made once
 * and kept; whoever has an operator already puts its seed there before the first run.
 */

export interface KeyFolder {
  operator(): Promise<KeyPair>;
  account(name: string): Promise<KeyPair>;
  /** The user's key is the one in its .creds file, unless that is to be replaced. */
  user(file: string, replace: boolean): Promise<{ readonly key: KeyPair; readonly former?: KeyPair }>;
  read(file: string): Promise<string | undefined>;
  /** Readable by its owner alone; a reader finds the old content or the new one. */
  write(file: string, text: string): Promise<void>;
}

const SEED = /\bS[OAU][A-Z2-7]{56}\b/;

export function openKeyFolder(folder: string): KeyFolder {
  const read = async (file: string) =>
    await readFile(join(folder, file), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new UsageError(`${join(folder, file)} cannot be read (${error.code})`);
    });
  const write = async (file: string, text: string) => {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await chmod(`${path}.new`, 0o600);
    await rename(`${path}.new`, path);
  };
  const known = async (file: string) => {
    const text = await read(file);
    return text === undefined ? undefined : keyOf(text, join(folder, file));
  };
  const kept = async (file: string, make: () => KeyPair) => {
    const key = await known(file);
    if (key !== undefined) return key;
    const made = make();
    await write(file, `${Buffer.from(made.getSeed()).toString()}\n`);
    return made;
  };
  return {
    operator: () => kept("keys/operator.nk", createOperator),
    account: (name) => kept(`keys/${name}.nk`, createAccount),
    async user(file, replace) {
      const former = await known(file);
      if (former === undefined) return { key: createUser() };
      return replace ? { key: createUser(), former } : { key: former };
    },
    read,
    write,
  };
}

function keyOf(text: string, path: string): KeyPair {
  try {
    return fromSeed(Buffer.from(SEED.exec(text)?.[0] ?? ""));
  } catch {
    throw new UsageError(
      `${path} holds no seed of a key`,
      "move it away, and a new key is made in its place",
    );
  }
}
