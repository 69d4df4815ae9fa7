import type { Account, User } from "@nats-io/jwt";
import type { Service } from "../../model/mesh.js";
import type { Lookup } from "../lookup.js";
import type { Literal } from "../print/layout.js";
import {
  brokerAccounts,
  CONNECTION_TYPES,
  LIMITS,
  MESH,
  OPERATOR,
  type Permitted,
  type ServiceAccount,
} from "./broker-accounts.js";

/*
 * The accounts of nats.conf as claims of decentralised JWTs, with names where the JWTs have public keys. Keys are made where they are
 * kept: `mesh credentials` signs these claims.
 */

export interface BrokerClaims {
  /** The mesh's own account first, then those of services. */
  readonly accounts: readonly AccountClaims[];
}

export interface AccountClaims {
  readonly name: string;
  /** `account` of an import is a name; its activation token is missing. */
  readonly claims: Partial<Account> & { readonly mappings?: Mappings };
  readonly user: { readonly name: string; readonly claims: Partial<User> };
}

type Mappings = Readonly<Record<string, readonly { readonly subject: string; readonly weight: number }[]>>;

/** Claims say each limit: what is left out counts as none allowed. */
export const UNLIMITED = {
  subs: -1,
  conn: -1,
  leaf: -1,
  imports: -1,
  exports: -1,
  data: -1,
  payload: -1,
  wildcards: true,
};
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
export const USER = { subs: -1, data: -1, payload: -1 };

export function brokerClaims(lookup: Lookup): BrokerClaims {
  const { exports, accounts } = brokerAccounts(lookup);
  const mesh: AccountClaims = {
    name: MESH,
    claims: {
      limits: { ...UNLIMITED, ...JETSTREAM },
      exports: exports.map(({ subject, manyAnswers }) => ({
        name: subject,
        subject,
        type: "service",
        token_req: true,
        ...(manyAnswers ? { response_type: "Stream" as const } : {}),
      })),
    },
    user: { name: OPERATOR, claims: USER },
  };
  return { accounts: [mesh, ...accounts.map(accountClaims)] };
}

/** The same as a document; of one service its account alone. */
export function claimsDocument(lookup: Lookup, service: Service | undefined): Literal {
  const { accounts } = brokerClaims(lookup);
  const chosen = accounts.filter(({ name }) => service === undefined || name === service.name);
  return JSON.parse(JSON.stringify({ accounts: chosen })) as Literal;
}

function accountClaims({ name, permissions, mappings, imports }: ServiceAccount): AccountClaims {
  return {
    name,
    claims: {
      limits: { ...UNLIMITED, subs: LIMITS.subscriptions, conn: LIMITS.connections },
      mappings: Object.fromEntries(mappings.map(({ from, to }) => [from, [{ subject: to, weight: 100 }]])),
      imports: imports.map(({ subject, to }) => ({
        name: subject,
        subject,
        account: MESH,
        type: "service",
        ...(to === undefined ? {} : { local_subject: to }),
      })),
    },
    user: {
      name,
      claims: {
        ...USER,
        pub: permission(permissions.publish),
        sub: permission(permissions.subscribe),
        allowed_connection_types: [...CONNECTION_TYPES],
      },
    },
  };
}

/** The broker takes an empty list for everything. */
function permission(subjects: Permitted["publish"]) {
  return subjects.length === 0 ? { deny: [">"] } : { allow: [...subjects] };
}
