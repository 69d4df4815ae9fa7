import { expect, test } from "vitest";
import { ConfigurationError } from "../../../runtime/configuration-error.js";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import { readConfig } from "../../../runtime/service/config.js";
import { deadLetterStreamOf } from "../../../runtime/stateless/dead-letter-stream.js";
import { digestText } from "../../../runtime/values/access-keys.js";
import { streamPlan } from "../../support/broker-plans.js";

const stream = streamPlan({ name: "SFS", subjects: ["sfs.*.*.*"] });
const sync = {
  urlVariable: "AUTH_SERVICE_URL",
  keyVariable: "SFS_TO_AUTH_KEY",
  path: "/api/users",
  header: "authorization",
  everySeconds: 0,
};
const delivery = { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 1, maxAckPending: 1, batch: 1 };
const consumer = {
  durable: "d",
  stream,
  filter: "auth.user.*.*",
  entity: "auth.user",
  sync,
  delivery,
  events: [],
};
const definition: ServiceDefinition = {
  mesh: "test",
  name: "sfs",
  source: "sfs-service",
  database: {
    name: "sfs_db",
    urlVariable: "SFS_DB_URL",
    ownerUrlVariable: "SFS_DB_OWNER_URL",
    roles: { owner: "sfs_owner", service: "sfs_service" },
    migrations: new URL("file:///nowhere/"),
  },
  stream,
  publishes: [],
  tables: [],
  consumers: [consumer],
  http: { port: 8082, resources: [] },
  environment: [
    { name: "COLOUR", default: "blue" },
    { name: "SHAPE", required: true },
  ],
};
const complete = {
  SFS_DB_URL: "postgres://u:p@localhost/sfs",
  NATS_URL: "nats://a:4222,b:4223",
  OPERATOR_KEY: "the key of the operators",
  SFS_TO_AUTH_KEY: "the key of sfs for auth",
  AUTH_SERVICE_URL: "http://auth:80",
  SHAPE: "round",
};

function problemsOf(env: Readonly<Record<string, string>>, of = definition): readonly string[] {
  try {
    readConfig(of, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

test("a complete environment, with defaults where nothing is said", () => {
  expect(
    readConfig(definition, { ...complete, PORT: "", NATS_USER: "sfs", NATS_PASSWORD: "secret" }),
  ).toMatchObject({
    database: { url: complete.SFS_DB_URL, variable: "SFS_DB_URL" },
    broker: { url: complete.NATS_URL, user: "sfs", password: "secret" },
    host: "127.0.0.1",
    port: 8082,
    logLevel: "info",
    migrate: true,
    env: { COLOUR: "blue", SHAPE: "round" },
  });
});

test("a service without a database asks for none, and does not take DATABASE_URL for its own", () => {
  const { database: _, ...rest } = definition;
  const { SFS_DB_URL: __, ...env } = complete;
  const stateless = { deadLetters: deadLetterStreamOf({ service: "sfs", name: "DEAD_SFS" }), consumers: [] };
  const config = readConfig({ ...rest, stateless }, { ...env, DATABASE_URL: "postgres://a/b" });
  expect(config.database).toBeUndefined();
  expect(config.broker?.url).toBe(complete.NATS_URL);
});

test("DATABASE_URL serves where the service's own variable is not set", () => {
  const { SFS_DB_URL: DATABASE_URL, ...rest } = complete;
  expect(readConfig(definition, { ...rest, DATABASE_URL }).database?.url).toBe(DATABASE_URL);
});

test("everything that is missing is said at once", () => {
  expect(problemsOf({}).map((problem) => problem.split(" ")[0])).toEqual([
    "SFS_DB_URL",
    "NATS_URL",
    "AUTH_SERVICE_URL",
    "OPERATOR_KEY",
    "SFS_TO_AUTH_KEY",
    "SHAPE",
  ]);
});

test("an optional source may be missing, not wrong; one that a cache needs as well is not optional", () => {
  const optional = { ...consumer, sync: { ...sync, key: "user_id", optional: true as const } };
  const { AUTH_SERVICE_URL, SFS_TO_AUTH_KEY, ...without } = complete;
  const rest = { ...without, SFS_TO_AUTH_KEY };
  const lenient = { ...definition, consumers: [optional] };
  expect(problemsOf(rest, lenient)).toEqual([]);
  expect(problemsOf({ ...rest, AUTH_SERVICE_URL: "auth:80" }, lenient)).toEqual([
    "AUTH_SERVICE_URL has no scheme; it looks like http://host:8080",
  ]);
  expect(problemsOf(rest, { ...definition, consumers: [optional, consumer] })).toHaveLength(1);
});

test("a key is demanded where its URL is set, and named by whose it is", () => {
  const optional = { ...consumer, sync: { ...sync, key: "user_id", optional: true as const } };
  const { SFS_TO_AUTH_KEY, OPERATOR_KEY, ...rest } = complete;
  expect(problemsOf({ ...rest, SERVICE_KEY: "k" }, { ...definition, consumers: [optional] })).toEqual([
    expect.stringMatching(
      /^OPERATOR_KEY is not set: .* \(SERVICE_KEY, one key for all, is no longer read\)$/,
    ),
    "SFS_TO_AUTH_KEY is not set: the key that SFS shows to AUTH, the same on either side",
  ]);
});

const called: ServiceDefinition = {
  ...definition,
  callers: [
    { name: "web", keyVariable: "WEB_TO_SFS_KEY", grants: [{ path: "/api/files", verbs: ["get"] }] },
    {
      name: "mail",
      keyVariable: "MAIL_TO_SFS_KEY",
      optional: true,
      grants: [{ path: "/api/files", verbs: ["post"] }],
    },
  ],
};

test("of its callers' keys it keeps digests, of two that it shows the first; a caller without a key is not known", () => {
  const config = readConfig(called, {
    ...complete,
    SFS_TO_AUTH_KEY: "a new key for sfs, the old key of sfs",
    WEB_TO_SFS_KEY: "a,b",
  });
  expect(config.env.SFS_TO_AUTH_KEY).toBe("a new key for sfs");
  expect(config.keys.callers.map(({ name, digests }) => [name, digests.length])).toEqual([["web", 2]]);
  expect(JSON.stringify(config.keys)).not.toContain("the key of");
  expect(config.warnings).toEqual([expect.stringMatching(/^WEB_TO_SFS_KEY is short enough to be guessed/)]);
});

test("one key for two pairs is warned of, as it is while one key for all is replaced; the operators' is refused", () => {
  const one = "the one key of a former release";
  const shared = { ...complete, WEB_TO_SFS_KEY: one, MAIL_TO_SFS_KEY: `a new key for the mail,${one}` };
  expect(readConfig(called, shared).warnings).toEqual([
    "WEB_TO_SFS_KEY and MAIL_TO_SFS_KEY are one key: who has it may do what both may",
  ]);
  for (const name of ["WEB_TO_SFS_KEY", "SFS_TO_AUTH_KEY"])
    expect(
      problemsOf(
        { ...complete, WEB_TO_SFS_KEY: one, [name]: `another key,${complete.OPERATOR_KEY}` },
        called,
      ),
    ).toEqual([`${name} is the OPERATOR_KEY as well; whoever is shown it could do everything`]);
  const known = digestText(complete.OPERATOR_KEY);
  expect(
    problemsOf({ ...complete, OPERATOR_KEY: known, WEB_TO_SFS_KEY: complete.OPERATOR_KEY }, called),
  ).toHaveLength(1);
});

test.each([
  ["OPERATOR_KEY", "hunter2,hunter3,hunter4"],
  ["OPERATOR_KEY", "hunter2,"],
  ["OPERATOR_KEY", "hunter2\nhunter3"],
  ["OPERATOR_KEY", "sha256:hunter2"],
  ["SFS_TO_AUTH_KEY", "hunter2ä"],
  ["SFS_TO_AUTH_KEY", digestText("hunter2")],
  ["SFS_DB_URL", "mysql://u:hunter2@h/db"],
  ["SFS_DB_URL", "not a url hunter2"],
  ["SFS_DB_URL", "postgres://u:p@h:99999/d"],
  ["SFS_DB_URL", "postgres://u:p@h:0/d"],
  ["SFS_DB_URL", "postgres://u:p%zz@h/d"],
  ["SFS_DB_URL", "postgres://u:p/q@h/d"],
  ["SFS_DB_URL", "postgres://u:p@h,i/d"],
  ["SFS_DB_URL", "postgres://u:p@/d?host=h,i"],
  ["SFS_DB_URL", "postgres://u:p@h/d?port=0"],
  ["SFS_DB_URL", "postgres://u:p@h/d?sslmode=reqire"],
  ["SFS_DB_URL", "postgres://u:p@h/d?sslrootcert=/nowhere/ca.pem"],
  ["SFS_DB_URL", "postgres://u:p@h/d?sslnegotiation=maybe"],
  ["NATS_URL", "nats://h:99999"],
  ["NATS_URL", "nats://h:0"],
  ["NATS_URL", "nats://a:4222,,nats://b:4222"],
  ["NATS_URL", "nats://u:%@h:4222"],
  ["AUTH_SERVICE_URL", "http://h:99999"],
  ["AUTH_SERVICE_URL", "http://h:0"],
  ["AUTH_SERVICE_URL", "http://u:secret@h"],
  ["AUTH_SERVICE_URL", "http://h/?x=1"],
  ["NATS_URL", "http://h:4222"],
  ["NATS_URL", "nats://"],
  ["AUTH_SERVICE_URL", "auth:80"],
  ["SFS_DB_URL", "hunter2:p@h/d"],
  ["PORT", "80a"],
  ["PORT", "65536"],
  ["PORT", "-1"],
  ["LOG_LEVEL", "loud"],
  ["MIGRATE", "maybe"],
  ["NATS_PASSWORD", "hunter2"],
])("%s=%s is refused by name, without showing a password", (name, value) => {
  const problems = problemsOf({ ...complete, [name]: value });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${name} `));
  expect(problems[0]).not.toContain("hunter2");
});
