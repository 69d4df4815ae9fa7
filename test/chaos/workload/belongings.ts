import { type LoggedContainer, outcomeOf } from "../write-log.js";
import { type Action, anyContainer, knownUser, NothingToDo, type Writing } from "./action.js";

/** Rows that belong to users in other services, and rows that belong to their containers. */
export const belongingActions: readonly Action[] = [
  {
    name: "create namespace",
    weight: 8,
    service: "sfs",
    write: async (writing) => {
      const id = `n${writing.random.between(1, 40)}`;
      await writing.client.query(
        "INSERT INTO namespaces (namespace_id, name, owner_id) VALUES ($1, $1, $2)",
        [id, knownUser(writing)],
      );
    },
  },
  {
    name: "give namespace",
    weight: 4,
    service: "sfs",
    write: async (writing) => {
      // For the oracle it is a new row of the new owner.
      await writing.client.query(
        "UPDATE namespaces SET owner_id = $2, created_at = now() WHERE namespace_id = $1",
        [`n${writing.random.between(1, 40)}`, knownUser(writing)],
      );
    },
  },
  {
    name: "delete namespace",
    weight: 2,
    service: "sfs",
    write: async ({ client, random }) => {
      await client.query("DELETE FROM namespaces WHERE namespace_id = $1", [`n${random.between(1, 40)}`]);
    },
  },
  {
    name: "upload file",
    weight: 8,
    service: "sfs",
    write: async (writing) => {
      await writing.client.query(
        `INSERT INTO files (file_id, namespace_id, path, uploader_id)
         SELECT $1, namespace_id, $1, $2 FROM namespaces ORDER BY random() LIMIT 1`,
        [`f${writing.serial()}`, knownUser(writing)],
      );
    },
  },
  {
    name: "create namespace by REST",
    weight: 3,
    service: "sfs",
    write: async (writing) => {
      const name = `rest-${writing.random.between(1, 20)}`;
      const body = { namespace_id: name, name, owner_id: knownUser(writing) };
      await writing.call("sfs", "POST /api/namespaces", body);
    },
  },
  { name: "create container", weight: 12, service: "compute", write: createContainer },
  {
    name: "start or stop container",
    weight: 5,
    service: "compute",
    write: async ({ client, random }) => {
      await client.query("UPDATE containers SET status = $2 WHERE container_id = $1", [
        anyContainer(random),
        random.pick(["running", "stopped"]),
      ]);
    },
  },
  { name: "delete container", weight: 4, service: "compute", write: deleteContainer },
  {
    name: "create ssh key",
    weight: 6,
    service: "compute",
    write: async (writing) => {
      await writing.client.query(
        "INSERT INTO ssh_keys (key_id, user_id, name, public_key, fingerprint) VALUES ($1, $2, 'key', 'ssh', $1)",
        [`k${writing.serial()}`, knownUser(writing)],
      );
    },
  },
  {
    name: "delete ssh keys",
    weight: 2,
    service: "compute",
    write: async ({ client, user }) => {
      await client.query("DELETE FROM ssh_keys WHERE user_id = $1", [user()]);
    },
  },
  {
    name: "create route",
    weight: 8,
    service: "gateway",
    write: async (writing) => {
      const id = knownContainer(writing);
      await writing.client.query(
        "INSERT INTO routes (route_id, container_id, host, target) VALUES ($1, $2, $1, 'target')",
        [`r${writing.serial()}`, id],
      );
    },
  },
  {
    name: "create ingress rule",
    weight: 6,
    service: "gateway",
    write: async (writing) => {
      const id = knownContainer(writing);
      await writing.client.query(
        "INSERT INTO ingress_rules (rule_id, container_id, port) VALUES ($1, $2, $3)",
        [`i${writing.serial()}`, id, writing.random.between(1, 60_000)],
      );
    },
  },
];

function knownContainer({ random, writeLog }: Writing): string {
  const known = [...writeLog.containers.values()].filter(({ outcome }) => outcome === "committed");
  if (known.length === 0) throw new NothingToDo("there is no container yet");
  return random.pick(known).id;
}

async function createContainer(writing: Writing): Promise<void> {
  const { client, random, writeLog, serial } = writing;
  const id = anyContainer(random);
  const namespace = `ns-${serial()}`;
  const entry: LoggedContainer = { id, namespace, outcome: "unknown", deletedByWriter: false };
  writeLog.containers.set(namespace, entry);
  try {
    await client.query(
      "INSERT INTO containers (container_id, user_id, name, namespace, image) VALUES ($1, $2, $1, $3, 'image')",
      [id, knownUser(writing), namespace],
    );
    entry.outcome = "committed";
  } catch (error) {
    if (outcomeOf(error) === "refused") writeLog.containers.delete(namespace);
    throw error;
  }
}

async function deleteContainer({ client, random, writeLog }: Writing): Promise<void> {
  const id = anyContainer(random);
  try {
    const { rows } = await client.query<{ namespace: string }>(
      "DELETE FROM containers WHERE container_id = $1 RETURNING namespace",
      [id],
    );
    for (const { namespace } of rows) {
      const entry = writeLog.containers.get(namespace);
      if (entry !== undefined) entry.deletedByWriter = true;
    }
  } catch (error) {
    // It may have been committed all the same, and have deleted whichever of them was there.
    if (outcomeOf(error) === "unknown")
      for (const entry of writeLog.containers.values()) if (entry.id === id) entry.deletedByWriter = true;
    throw error;
  }
}
