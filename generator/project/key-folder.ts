import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from "@nats-io/jwt";
import { makeNamedFolder } from "./make-folder.js";
import { readRegularFile } from "./regular-file.js";
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

/** Of whom a key is, by the letter that its seed has after the S. */
const HOLDERS = { O: "an operator", A: "an account", U: "a user" } as const;
type Holder = keyof typeof HOLDERS;

/** In bytes; a configuration with the accounts of 1,000 services is smaller. */
const LARGEST = 16 * 2 ** 20;

export function openKeyFolder(folder: string): KeyFolder {
  const read = async (file: string) => {
    const found = await readRegularFile(join(folder, file), LARGEST);
    return found === undefined ? undefined : Buffer.from(found).toString("utf8");
  };
  const write = async (file: string, text: string) => {
    const path = join(folder, file);
    makeNamedFolder(dirname(path), 0o700);
    // Made anew: what lies there may be a link, or open to others.
    await rm(`${path}.new`, { force: true });
    await writeFile(`${path}.new`, text, { mode: 0o600, flag: "wx" });
    await rename(`${path}.new`, path);
  };
  const known = async (file: string, of: Holder) => {
    const text = await read(file);
    return text === undefined ? undefined : keyOf(text, { path: join(folder, file), of });
  };
  const kept = async (file: string, of: Holder, make: () => KeyPair) => {
    const key = await known(file, of);
    if (key !== undefined) return key;
    const made = make();
    await write(file, `${Buffer.from(made.getSeed()).toString()}\n`);
    return made;
  };
  return {
    operator: () => kept("keys/operator.nk", "O", createOperator),
    account: (name) => kept(`keys/${name}.nk`, "A", createAccount),
    async user(file, replace) {
      const former = await known(file, "U");
      if (former === undefined) return { key: createUser() };
      return replace ? { key: createUser(), former } : { key: former };
    },
    read,
    write,
  };
}

function keyOf(text: string, { path, of }: { readonly path: string; readonly of: Holder }): KeyPair {
  try {
    const seed = new RegExp(`\\bS${of}[A-Z2-7]{56}\\b`).exec(text)?.[0] ?? "";
    return fromSeed(Buffer.from(seed));
  } catch {
    throw new UsageError(
      `${path} holds no seed of ${HOLDERS[of]}'s key, which begins with S${of}`,
      "move it away, and a new key is made in its place",
    );
  }
}
