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

const userCache = (mesh: RunningMesh, database: string, columns = "username") =>
  mesh
    .rows<{ row: string }>(
      database,
      `SELECT concat_ws(' = ', ${columns}) AS row FROM user_cache ORDER BY username`,
    )
    .then((rows) => rows.map(({ row }) => row));

async function showRegistration(mesh: RunningMesh): Promise<string> {
  report.title("1  Three users register (POST /api/users at auth); both caches fill through events");
  const ids: string[] = [];
  for (const [username, display_name] of [
    ["ada", "Ada Lovelace"],
    ["grace", "Grace Hopper"],
    ["linus", "Linus Torvalds"],
  ]) {
    const user = await mesh.call("auth", "POST /api/users", { username, display_name });
    ids.push(String(user.user_id));
  }
  await report.expect(
    "auth_db.users",
    () =>
      mesh
        .rows("auth_db", "SELECT username FROM users ORDER BY 1")
        .then((rows) => rows.map((row) => row.username)),
    ["ada", "grace", "linus"],
  );
  await report.expect("sfs_db.user_cache", () => userCache(mesh, "sfs_db"), ["ada", "grace", "linus"]);
  await report.expect("compute_db.user_cache", () => userCache(mesh, "compute_db"), [
    "ada",
    "grace",
    "linus",
  ]);
  return ids[0] ?? "";
}

async function showRename(mesh: RunningMesh, id: string): Promise<void> {
  report.title("2  ada changes her names (PATCH); the copies follow");
  await mesh.call("auth", `PATCH /api/users/${id}`, {
    username: "countess",
    display_name: "Countess of Lovelace",
  });
  const expected = ["countess = Countess of Lovelace", "grace = Grace Hopper", "linus = Linus Torvalds"];
  for (const database of ["sfs_db", "compute_db"]) {
    await report.expect(
      `${database}.user_cache`,
      () => userCache(mesh, database, "username, display_name"),
      expected,
    );
  }
}

async function showEstate(mesh: RunningMesh, user: string): Promise<Estate> {
  report.title("3  She owns something in every service");
  const namespace = await mesh.call("sfs", "POST /api/namespaces", { name: "notes", owner_id: user });
  await mesh.call("sfs", "POST /api/files", {
    namespace_id: namespace.namespace_id,
    path: "/engine.txt",
    size_bytes: 1843,
    uploader_id: user,
  });
  const containers: string[] = [];
  for (const name of ["web", "db"]) {
    const row = await mesh.call("compute", "POST /api/containers", {
      user_id: user,
      name,
      namespace: `ada-${name}`,
      image: "debian:12",
    });
    const container_id = String(row.container_id);
    containers.push(container_id);
    await mesh.call("gateway", "POST /api/routes", {
      container_id,
      host: `${name}.ada.example`,
      target: `http://${name}:80`,
    });
    await mesh.call("gateway", "POST /api/ingress-rules", { container_id, port: 443, target_port: 8443 });
  }
  await mesh.call("compute", "POST /api/ssh-keys", {
    user_id: user,
    name: "laptop",
    public_key: "ssh-ed25519 AAAAC3Nz",
    fingerprint: "SHA256:ada",
  });
  const estate = { user, containers };
  await expectEstate(mesh, estate, {
    namespaces: 1,
    files: 1,
    containers: 2,
    ssh_keys: 1,
    routes: 2,
    ingress_rules: 2,
  });
  return estate;
}

/** Rows that still name her, or what hung on her. */
async function expectEstate(
  mesh: RunningMesh,
  { user, containers }: Estate,
  expected: object,
): Promise<void> {
  const count = async (database: string, from: string, value: unknown) =>
    Number((await mesh.rows(database, `SELECT count(*) FROM ${from}`, value))[0]?.count);
  await report.expect(
    "rows that name her",
    async () => ({
      namespaces: await count("sfs_db", "namespaces WHERE owner_id = $1", user),
      files: await count("sfs_db", "files WHERE uploader_id = $1", user),
      containers: await count("compute_db", "containers WHERE user_id = $1", user),
      ssh_keys: await count("compute_db", "ssh_keys WHERE user_id = $1", user),
      routes: await count("gateway_db", "routes WHERE container_id = ANY($1)", containers),
      ingress_rules: await count("gateway_db", "ingress_rules WHERE container_id = ANY($1)", containers),
    }),
    expected as never,
  );
}

async function showDeletion(mesh: RunningMesh, estate: Estate, listener: Listener): Promise<void> {
  report.title("4  DELETE /api/users/{id}: one row at auth, then the cascade through all four services");
  const before = listener.heard.length;
  const started = performance.now();
  await mesh.call("auth", `DELETE /api/users/${estate.user}`);
  await expectEstate(mesh, estate, {
    namespaces: 0,
    files: 0,
    containers: 0,
    ssh_keys: 0,
    routes: 0,
    ingress_rules: 0,
  });
  await report.expect(
    "kept, without an owner",
    async () => ({
      namespaces: (await mesh.rows("sfs_db", "SELECT name, owner_id FROM namespaces")).map(
        (row) => `${row.name}: ${row.owner_id}`,
      ),
      files: (await mesh.rows("sfs_db", "SELECT path, uploader_id FROM files")).map(
        (row) => `${row.path}: ${row.uploader_id}`,
      ),
    }),
    { namespaces: ["notes: null"], files: ["/engine.txt: null"] },
  );
  for (const database of ["sfs_db", "compute_db"])
    await report.expect(`${database}.user_cache`, () => userCache(mesh, database), ["grace", "linus"]);
  const kinds = () =>
    listener.heard
      .slice(before)
      .map(({ subject }) => subject.replace(/^(\w+\.\w+)\.[^.]+/, "$1.{id}"))
      .sort();
  await report.expect("events on the wire", async () => kinds().length, 9);
  await report.expect("", async () => [...new Set(kinds())].length, 6);
  report.note("", "as a bare NATS client saw them:");
  for (const event of listener.heard.slice(before)) print(`    ${describeEvent(event, started)}`);
}

function describeEvent({ at, subject, body }: HeardEvent, started: number): string {
  const { metadata, ...payload } = body;
  const shown = Object.entries(payload)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");
  return `${pc.dim(`+${Math.round(at - started)} ms`.padStart(8))}  ${subject.padEnd(52)} ${pc.dim(`v${metadata.version} ${metadata.source} ${shown}`.slice(0, 70))}`;
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
  await report.expect("sfs_db.user_cache", () => userCache(mesh, "sfs_db"), ["grace", "linus", "psql"]);
  await report.expect(
    "events on the wire",
    async () => listener.heard.slice(before).map(({ subject }) => subject),
    ["auth.user.sql-1.created"],
  );
  const dead = await mesh.rows("sfs_db", "SELECT FROM mesh.dead_letter");
  await report.expect("dead letters", async () => dead.length, 0);
}

process.exitCode = await main().catch((error: Error) => {
  print(pc.red(`\n${error.message}`));
  return 1;
});
