import {
  type Account,
  encodeAccount,
  encodeActivation,
  encodeOperator,
  encodeUser,
  fmtCreds,
  type KeyPair,
} from "@nats-io/jwt";
import { type AccountClaims, type BrokerClaims, UNLIMITED, USER } from "../emit/documents/broker-claims.js";
import type { KeyFolder } from "./key-folder.js";
import { UsageError } from "./usage-error.js";

/*
 * Decentralised JWTs: the operator signs accounts, an account its users and, for each account that may import from it, an
 * activation of that subject, since what the mesh exports is private.
 */

export interface Issued {
  /** Public key of the operator. */
  readonly operator: string;
  readonly accounts: readonly { readonly name: string; readonly key: string }[];
  /** The server's configuration, within the folder. */
  readonly configuration: string;
  /** By user, its .creds file. */
  readonly creds: Readonly<Record<string, string>>;
}

/** Of the server's own events and requests; no part of the mesh. */
const SYSTEM = "SYS";
export const CONFIGURATION = "nats-jwt.conf";
const REVOKED = "keys/revoked.json";

export interface IssueOptions {
  readonly claims: BrokerClaims;
  readonly folder: KeyFolder;
  /** User that gets a new key; the former one is revoked. */
  readonly rotate?: string | undefined;
}

/** By account, the public keys of users that may no longer connect, and since when. */
type Revoked = Readonly<Record<string, Readonly<Record<string, number>>>>;

export async function issueCredentials({ claims, folder, rotate }: IssueOptions): Promise<Issued> {
  // Whoever adds the folder to a repository by mistake adds nothing.
  await folder.write(".gitignore", "*\n");
  const operator = await folder.operator();
  const keys = new Map<string, KeyPair>();
  const [own] = claims.accounts;
  // Services may be called as the accounts of mesh and system.
  for (const account of claims.accounts)
    keys.set(
      account.name,
      await folder.account(account === own ? "mesh-account" : `services/${account.name}`),
    );
  const system = await folder.account("system-account");
  let revoked = readRevoked(await folder.read(REVOKED));
  const creds: Record<string, string> = {};
  const writeUser = async (user: AccountClaims["user"], account: AccountKey, file: string) => {
    const { key: signer, name } = account;
    const { key, former } = await folder.user(file, user.name === rotate);
    // Ahead of the file, which is all that knows the former key: whoever ends this run in between has revoked it all the same.
    if (former !== undefined) {
      revoked = revoke(revoked, name, former.getPublicKey());
      await folder.write(REVOKED, `${JSON.stringify(revoked, null, 2)}\n`);
    }
    const jwt = await encodeUser(user.name, key, signer, structuredClone(user.claims));
    await folder.write(file, Buffer.from(fmtCreds(jwt, key)).toString());
    creds[user.name] = file;
  };
  for (const account of claims.accounts) {
    const { name, user } = account;
    const file = account === own ? `${user.name}.creds` : `services/${user.name}.creds`;
    await writeUser(user, { key: keyOf(keys, name), name }, file);
  }
  await writeUser({ name: "system", claims: USER }, { key: system, name: SYSTEM }, "system.creds");

  const jwts = new Map<string, string>();
  for (const account of claims.accounts) {
    const key = keyOf(keys, account.name);
    const complete = await withKeys(account, keys, revoked);
    jwts.set(key.getPublicKey(), await encodeAccount(account.name, key, complete, { signer: operator }));
  }
  jwts.set(
    system.getPublicKey(),
    await encodeAccount(SYSTEM, system, { limits: UNLIMITED }, { signer: operator }),
  );
  const signed = await encodeOperator("meshwright", operator, { system_account: system.getPublicKey() });
  for (const [key, jwt] of jwts) await folder.write(`jwt/${key}.jwt`, `${jwt}\n`);
  await folder.write(CONFIGURATION, configure(signed, system.getPublicKey(), jwts));
  return {
    operator: operator.getPublicKey(),
    accounts: [...keys].map(([name, key]) => ({ name, key: key.getPublicKey() })),
    configuration: CONFIGURATION,
    creds,
  };
}

function keyOf(keys: ReadonlyMap<string, KeyPair>, account: string): KeyPair {
  const key = keys.get(account);
  if (key === undefined) throw new Error(`account ${account} has no key`);
  return key;
}

interface AccountKey {
  readonly name: string;
  readonly key: KeyPair;
}

/** Nothing is signed where it cannot be read: every key in it would be taken again. */
function readRevoked(text = "{}"): Revoked {
  try {
    const found: unknown = JSON.parse(text);
    const isMap = (value: unknown): value is object =>
      typeof value === "object" && value !== null && !Array.isArray(value);
    const isWhole = (account: unknown) =>
      isMap(account) && Object.values(account).every((since) => Number.isInteger(since));
    if (isMap(found) && Object.values(found).every(isWhole)) return found as Revoked;
  } catch {
    // As below.
  }
  throw new UsageError(
    `${REVOKED} is not as mesh credentials wrote it`,
    "put it back from where secrets are kept: without it, keys that were replaced would be taken again",
  );
}

function revoke(revoked: Revoked, account: string, user: string): Revoked {
  const now = Math.floor(Date.now() / 1_000);
  return { ...revoked, [account]: { ...revoked[account], [user]: now } };
}

/** Claims with public keys in place of names, and an activation for each import. */
async function withKeys(
  { name, claims }: AccountClaims,
  keys: ReadonlyMap<string, KeyPair>,
  revoked: Revoked,
): Promise<Partial<Account>> {
  const imports = [];
  for (const one of claims.imports ?? []) {
    const exporter = keyOf(keys, one.account);
    const activated = { subject: one.subject };
    const token = await encodeActivation(one.subject, keyOf(keys, name), exporter, "service", activated);
    imports.push({ ...one, account: exporter.getPublicKey(), token });
  }
  const former = revoked[name];
  return {
    ...structuredClone(claims),
    ...(imports.length === 0 ? {} : { imports }),
    ...(former === undefined ? {} : { revocations: { ...former } }),
  };
}

function configure(operator: string, system: string, jwts: ReadonlyMap<string, string>): string {
  return [
    "# Made by mesh credentials from mesh.yaml. It holds no secret. Include it from the server's configuration, which turns",
    '# JetStream on and says where it keeps its data: include "./nats-jwt.conf"',
    `operator: ${operator}`,
    `system_account: ${system}`,
    "resolver: MEMORY",
    "resolver_preload: {",
    ...[...jwts].map(([key, jwt]) => `  ${key}: ${jwt}`),
    "}",
    "",
  ].join("\n");
}
