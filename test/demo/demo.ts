import pc from "picocolors";
import { type HeardEvent, type Listener, listen } from "./listen.js";
import { bootMesh, checkGenerated, type RunningMesh } from "./mesh.js";
import { createReport, duration } from "./report.js";

/*
 * `npm run demo`: the reference mesh from nothing, in half a minute. It stands outside: it speaks
 * HTTP, SQL and plain NATS, and uses nothing of the runtime. Any claim that does not hold: exit code 1.
 */

const print = (line: string) => {
  process.stdout.write(`${line}\n`);
};
const report = createReport(print);

interface Estate {
  readonly user: string;
  readonly containers: readonly string[];
}

async function main(): Promise<number> {
  const started = performance.now();
  report.title("One mesh.yaml, four services, four databases, one broker");
  await report.step("mesh generate --check", "generated/ is what mesh.yaml says", checkGenerated);
  const mesh = await report.step("mesh dev", "broker, databases, migrations, services: all ready", bootMesh);
  let listener: Listener | undefined;
  try {
    report.note(
      "",
      Object.entries(mesh.endpoints.services)
        .map(([name, { http }]) => `${name} ${http.replace("http://127.0.0.1", "")}`)
        .join("  "),
    );
    listener = await listen(mesh.endpoints.nats, ["auth.>", "sfs.>", "compute.>", "gateway.>"]);
    const ada = await showRegistration(mesh);
    await showRename(mesh, ada);
    const estate = await showEstate(mesh, ada);
    await showDeletion(mesh, estate, listener);
    await showPlainSql(mesh, listener);
  } finally {
    await listener?.close();
    await report.step("stop", "services, then broker and databases; nothing is left behind", () =>
      mesh.stop(),
    );
  }
  const failures = report.failures();
  const took = duration(performance.now() - started);
  print(
    failures
      ? pc.red(`\n${failures} of the claims did not hold (${took})`)
      : pc.green(`\nEvery claim held (${took}).`),
  );
  return failures ? 1 : 0;
}

const names = (mesh: RunningMesh, database: string, table: string) =>
  mesh
    .rows<{ username: string }>(database, `SELECT username FROM ${table} ORDER BY username`)
    .then((rows) => rows.map(({ username }) => username));

async function showRegistration(mesh: RunningMesh): Promise<string> {
  report.title("1  Three users register (POST /api/users at auth): both caches fill through events");
  const users = [
    { username: "ada", display_name: "Ada Lovelace" },
    { username: "grace", display_name: "Grace Hopper" },
    { username: "linus", display_name: "Linus Torvalds" },
  ];
  const ids: string[] = [];
  for (const user of users) ids.push(String((await mesh.call("auth", "POST /api/users", user)).user_id));
  const expected = users.map(({ username }) => username);
  await report.expect("auth_db.users", () => names(mesh, "auth_db", "users"), expected);
  await report.expect("sfs_db.user_cache", () => names(mesh, "sfs_db", "user_cache"), expected);
  await report.expect("compute_db.user_cache", () => names(mesh, "compute_db", "user_cache"), expected);
  return ids[0] ?? "";
}

async function showRename(mesh: RunningMesh, id: string): Promise<void> {
  report.title("2  ada takes another name (PATCH /api/users/{id}): the copies follow");
  const names = { username: "countess", display_name: "Countess of Lovelace" };
  await mesh.call("auth", `PATCH /api/users/${id}`, names);
  for (const database of ["sfs_db", "compute_db"]) {
    const read = () =>
      mesh.rows(database, "SELECT username, display_name FROM user_cache WHERE user_id = $1", id);
    await report.expect(
      `${database}.user_cache`,
      read,
      [names],
      ([row]) => `${row?.username}, ${row?.display_name}`,
    );
  }
}

async function showEstate(mesh: RunningMesh, user: string): Promise<Estate> {
  report.title("3  She owns something in every service (REST at sfs, compute and gateway)");
  const namespace = await mesh.call("sfs", "POST /api/namespaces", { name: "notes", owner_id: user });
  const { namespace_id } = namespace;
  await mesh.call("sfs", "POST /api/files", {
    namespace_id,
    path: "/engine.txt",
    size_bytes: 1843,
    uploader_id: user,
  });
  const containers: string[] = [];
  for (const name of ["web", "db"]) {
    const container = { user_id: user, name, namespace: `ada-${name}`, image: "debian:12" };
    const { container_id } = await mesh.call("compute", "POST /api/containers", container);
    containers.push(String(container_id));
    await mesh.call("gateway", "POST /api/routes", {
      container_id,
      host: `${name}.ada.example`,
      target: `${name}:80`,
    });
    await mesh.call("gateway", "POST /api/ingress-rules", { container_id, port: 443, target_port: 8443 });
  }
  const key = { name: "laptop", public_key: "ssh-ed25519 AAAAC3Nz", fingerprint: "SHA256:ada" };
  await mesh.call("compute", "POST /api/ssh-keys", { user_id: user, ...key });
  const estate = { user, containers };
  await expectEstate(mesh, estate, [1, 1, 2, 1, 2, 2]);
  return estate;
}

const ESTATE = [
  ["sfs_db", "namespaces", "owner_id"],
  ["sfs_db", "files", "uploader_id"],
  ["compute_db", "containers", "user_id"],
  ["compute_db", "ssh_keys", "user_id"],
  ["gateway_db", "routes", "container_id"],
  ["gateway_db", "ingress_rules", "container_id"],
] as const;

/** By table: the rows that still refer to the user or to one of her containers. */
async function expectEstate(
  mesh: RunningMesh,
  { user, containers }: Estate,
  expected: number[],
): Promise<void> {
  const count = () =>
    Promise.all(
      ESTATE.map(async ([database, table, column]) => {
        const sql = `SELECT FROM ${table} WHERE ${column} = ANY($1)`;
        return (await mesh.rows(database, sql, [user, ...containers])).length;
      }),
    );
  const show = (counts: readonly number[]) =>
    ESTATE.map(([, table], at) => `${counts[at]} ${table.replace("_", " ")}`).join(", ");
  await report.expect("rows that name her", count, expected, show);
}

/** The events that must be published, with their exact numbers. */
const CASCADE = [
  "1 auth.user.deleted",
  "2 compute.container.deleted",
  "1 compute.sshkey.deleted",
  "2 gateway.ingress.deleted",
  "2 gateway.route.unregistered",
  "1 sfs.namespace.updated",
];

async function showDeletion(mesh: RunningMesh, estate: Estate, listener: Listener): Promise<void> {
  report.title("4  DELETE /api/users/{id}: one row at auth, then the cascade through all four services");
  const before = listener.heard.length;
  const started = performance.now();
  await mesh.call("auth", `DELETE /api/users/${estate.user}`);
  await expectEstate(mesh, estate, [0, 0, 0, 0, 0, 0]);
  const kept = async () => [
    ...(await mesh.rows("sfs_db", "SELECT name, owner_id AS owner FROM namespaces")),
    ...(await mesh.rows("sfs_db", "SELECT path AS name, uploader_id AS owner FROM files")),
  ];
  const ownerless = [
    { name: "notes", owner: null },
    { name: "/engine.txt", owner: null },
  ];
  const show = (rows: readonly object[]) =>
    rows.map((row) => Object.values(row).map(String).join(" → ")).join(", ");
  await report.expect("kept, without owner", kept, ownerless, show);
  for (const database of ["sfs_db", "compute_db"]) {
    await report.expect(`${database}.user_cache`, () => names(mesh, database, "user_cache"), [
      "grace",
      "linus",
    ]);
  }
  const heard = async () => countKinds(listener.heard.slice(before));
  await report.expect(
    "events, as a stranger",
    heard,
    CASCADE,
    (kinds) =>
      `${kinds.length} kinds: ${kinds.length === 6 ? "all of the cascade, each as often as it must be" : kinds.join(", ")}`,
  );
  report.note("to the mesh hears them:", "with the plain nats package, from the DELETE on");
  for (const event of listener.heard.slice(before)) print(`  ${describeEvent(event, started)}`);
}

function countKinds(events: readonly HeardEvent[]): string[] {
  const kinds = events.map(({ subject }) => subject.replace(/^(\w+\.\w+)\.[^.]+/, "$1"));
  return [...new Set(kinds)]
    .sort()
    .map((kind) => `${kinds.filter((other) => other === kind).length} ${kind}`);
}

function describeEvent({ at, subject, body }: HeardEvent, started: number): string {
  const { metadata, ...payload } = body;
  const facts = Object.entries(payload).filter(([, value]) => value !== metadata.entity_id);
  const shown = facts.map(([name, value]) => `${name}=${String(value)}`).join(" ");
  const offset = pc.dim(`+${Math.round(at - started)} ms`.padStart(8));
  return `${offset}  ${subject.padEnd(50)} ${pc.dim(`v${metadata.version} ${metadata.source} ${shown}`.slice(0, 62))}`;
}

async function showPlainSql(mesh: RunningMesh, listener: Listener): Promise<void> {
  report.title(
    "5  No code path is special: plain SQL emits too, and a rolled back transaction emits nothing",
  );
  const before = listener.heard.length;
  await mesh
    .rows(
      "auth_db",
      "DO $$ BEGIN INSERT INTO users (user_id, username) VALUES ('sql-2', 'ghost'); RAISE 'no'; END $$",
    )
    .catch(() => []);
  await mesh.rows(
    "auth_db",
    "INSERT INTO users (user_id, username, display_name) VALUES ('sql-1', 'psql', 'By hand')",
  );
  await report.expect("sfs_db.user_cache", () => names(mesh, "sfs_db", "user_cache"), [
    "grace",
    "linus",
    "psql",
  ]);
  await report.expect(
    "events on the wire",
    async () => listener.heard.slice(before).map(({ subject }) => subject),
    ["auth.user.sql-1.created"],
  );
  const dead = await Promise.all(
    ["sfs_db", "compute_db", "gateway_db"].map((database) =>
      mesh.rows(database, "SELECT FROM mesh.dead_letter"),
    ),
  );
  await report.expect("dead letters anywhere", async () => dead.flat().length, 0);
}

process.exitCode = await main().catch((error: Error) => {
  print(pc.red(`\n${error.message}`));
  return 1;
});
