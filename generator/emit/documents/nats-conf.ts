import { natsComment, natsText } from "../../quote/nats.js";
import type { Lookup } from "../lookup.js";
import {
  brokerAccounts,
  CONNECTION_TYPES,
  filtersOf,
  LIMITS,
  MESH,
  OPERATOR,
  type Permitted,
  type ServiceAccount,
  type ServiceExport,
} from "./broker-accounts.js";

/*
 * nats.conf: the accounts of services and mesh as the server reads them, with a password for each user.
 */
export interface BrokerView {
  readonly header: string;
  /** One of the variables, for the comment that says how to write them. */
  readonly passwordExample: string;
  readonly mesh: string;
  readonly operator: BrokerUser;
  /** What other accounts may import, a line each. */
  readonly exports: readonly string[];
  readonly accounts: readonly BrokerAccount[];
}

export interface BrokerAccount {
  readonly title: string;
  /** Escaped, to stand between quotes, as all names here. */
  readonly name: string;
  readonly user: BrokerUser;
  /** Lines of the account: limits, mappings, exports, imports. */
  readonly blocks: readonly Block[];
}

export interface BrokerUser {
  readonly name: string;
  readonly passwordVariable: string;
  readonly permissions: readonly string[];
}

interface Block {
  readonly open: string;
  readonly lines: readonly string[];
  readonly close: string;
}

export interface BrokerOptions {
  /** Adds an account that hears every event and can do nothing else: whom `mesh dev` takes a client without credentials for. */
  readonly listener: boolean;
}

/** Upper case keeps it apart from the accounts of services. */
export const LISTENER = "LISTENER";
/** Of the listener. Those of services end in NATS_PASSWORD. */
export const LISTENER_PASSWORD = "NATS_LISTENER_PASSWORD";

export function brokerView(
  lookup: Lookup,
  header: string,
  options: BrokerOptions = { listener: false },
): BrokerView {
  const { exports, accounts } = brokerAccounts(lookup);
  const passwordVariable = passwordVariableOf(OPERATOR);
  const heard = options.listener
    ? lookup.mesh.services.flatMap((service) => filtersOf(lookup.events(service)))
    : [];
  return {
    header,
    passwordExample: passwordVariable,
    mesh: MESH,
    operator: { name: OPERATOR, passwordVariable, permissions: [] },
    exports: [...exports.map(exportOf), ...heard.map(exportToListener)],
    accounts: [
      ...accounts.map((account) => serviceAccount(account, options)),
      ...(options.listener ? [listenerAccount(lookup)] : []),
    ],
  };
}

/** `AUTH_NATS_PASSWORD` */
export function passwordVariableOf(user: string): string {
  return `${user.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_NATS_PASSWORD`;
}

function exportOf({ subject, accounts, manyAnswers }: ServiceExport): string {
  const answers = manyAnswers ? ", response_type: Stream" : "";
  return `{ service: ${quote(subject)}, accounts: [${accounts.map(quote).join(", ")}]${answers} }`;
}

function serviceAccount(
  { name, permissions: allowed, mappings, imports, events }: ServiceAccount,
  { listener }: BrokerOptions,
): BrokerAccount {
  return {
    title: natsComment(`The ${name} service.`),
    name: natsText(name),
    user: {
      name: natsText(name),
      passwordVariable: passwordVariableOf(name),
      permissions: permissions(allowed),
    },
    blocks: [
      LIMIT_BLOCK,
      block(
        "mappings: {",
        mappings.map(({ from, to }) => `${quote(from)}: ${quote(to)}`),
        "}",
      ),
      block("exports: [", listener ? events.map(exportToListener) : [], "]"),
      block("imports: [", imports.map(importOf), "]"),
    ].filter(({ lines }) => lines.length > 0),
  };
}

const LIMIT_BLOCK = block(
  "limits: {",
  [`max_connections: ${LIMITS.connections}`, `max_subscriptions: ${LIMITS.subscriptions}`],
  "}",
);

function importOf({ subject, to }: ServiceAccount["imports"][number]): string {
  const from = `{ account: ${quote(MESH)}, subject: ${quote(subject)} }`;
  return to === undefined ? `{ service: ${from} }` : `{ service: ${from}, to: ${quote(to)} }`;
}

/** Only what is listed; the broker takes an empty list for everything. */
function permissions({ publish, subscribe }: Permitted): readonly string[] {
  const list = (subjects: readonly string[]) =>
    subjects.length === 0
      ? [`deny: [">"]`]
      : ["allow: [", ...subjects.map((subject) => `  ${quote(subject)}`), "]"];
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return [
    "permissions: {",
    ...indented(["publish: {", ...indented(list(publish)), "}"]),
    ...indented(["subscribe: {", ...indented(list(subscribe)), "}"]),
    "}",
    `allowed_connection_types: [${CONNECTION_TYPES.map(quote).join(", ")}]`,
  ];
}

function exportToListener(subject: string): string {
  return `{ stream: ${quote(subject)}, accounts: [${quote(LISTENER)}] }`;
}

/** Receives each event from the account that publishes it: its owner's, or the operator's in its stead. */
function listenerAccount(lookup: Lookup): BrokerAccount {
  const imports = lookup.mesh.services.flatMap((service) =>
    filtersOf(lookup.events(service)).flatMap((subject) =>
      [service.name, MESH].map(
        (account) => `{ stream: { account: ${quote(account)}, subject: ${quote(subject)} } }`,
      ),
    ),
  );
  return {
    title: "Whoever has no credentials: hears every event, and can do nothing else.",
    name: LISTENER,
    user: {
      name: LISTENER,
      passwordVariable: LISTENER_PASSWORD,
      permissions: permissions({ publish: [], subscribe: [">"] }),
    },
    blocks: [LIMIT_BLOCK, block("imports: [", imports, "]")].filter(({ lines }) => lines.length > 0),
  };
}

function block(open: string, lines: readonly string[], close: string): Block {
  return { open, lines, close };
}

function quote(text: string): string {
  return `"${natsText(text)}"`;
}
