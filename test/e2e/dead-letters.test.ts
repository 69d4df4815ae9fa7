import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type BareClient,
  bareClient,
  cached,
  call,
  register,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

let mesh: TestMesh;
let bare: BareClient;

beforeAll(async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  bare = await bareClient(mesh.operatorUrl);
});

afterAll(async () => {
  await bare?.close();
  await mesh?.stop();
});

interface DeadLetter {
  readonly subject: string;
  readonly body: Buffer;
  readonly error: string;
  readonly attempts: number;
}

function deadLetters(subject: string) {
  return mesh.databases.sfs
    .query<DeadLetter>("SELECT subject, body, error, attempts FROM mesh.dead_letter WHERE subject = $1", [
      subject,
    ])
    .then(({ rows }) => rows);
}

function event(id: string, fields: object): string {
  const metadata = { event_id: randomUUID(), entity_id: id, timestamp: 1705920000, source: "auth-service" };
  return JSON.stringify({ metadata, ...fields });
}

test.each([
  ["no JSON at all", "this is not JSON"],
  ["an empty body", ""],
  ["JSON that is no object", "[1, 2]"],
  ["a missing field", event("bad", { user_id: "bad" })],
  ["a field of the wrong type", event("bad", { user_id: "bad", username: 7, display_name: "x" })],
  ["an id with a NUL", event("bad", { user_id: "b\0d", username: "bad", display_name: "x" })],
  [
    "an id beyond any index",
    event("bad", { user_id: "b".repeat(5_000), username: "bad", display_name: "x" }),
  ],
  ["no metadata", JSON.stringify({ user_id: "bad", username: "bad", display_name: "x" })],
])(
  "poison (%s) becomes a dead letter with its whole body, and the next message is applied",
  async (what, body) => {
    const bad = `bad-${what.replaceAll(" ", "-")}`;
    const next = `next-${what.replaceAll(" ", "-")}`;
    await bare.publish(`auth.user.${bad}.created`, body);
    await bare.publish(
      `auth.user.${next}.created`,
      event(next, { user_id: next, username: next, display_name: "" }),
    );
    await waitFor(() => cached(mesh, "sfs", next), { what: "the message behind the bad one" });
    const [letter, ...more] = await deadLetters(`auth.user.${bad}.created`);
    expect(more).toEqual([]);
    expect(letter?.body.toString()).toBe(body);
    expect(letter?.error).not.toBe("");
    await bare.drained("AUTH", "sfs_auth_user");
  },
);

test("an unknown action of a known entity becomes a dead letter", async () => {
  await bare.publish("auth.user.someone.promoted", event("someone", { user_id: "someone" }));
  await bare.drained("AUTH", "sfs_auth_user");
  expect(await deadLetters("auth.user.someone.promoted")).toHaveLength(1);
});

test("a failing handler delays no other entity; its event is rolled back and retried until it becomes a dead letter", async () => {
  const poison = await register(mesh, "poison-ivy");
  const other = await register(mesh, "healthy");
  await waitFor(() => cached(mesh, "sfs", other), { what: "the user behind the failing one" });
  expect(await cached(mesh, "sfs", poison)).toBeUndefined();
  await waitFor(
    async () => {
      const { status, body } = await call(mesh, "sfs", "GET /readyz");
      const { consumers } = body.checks as { readonly consumers: Readonly<Record<string, Figures>> };
      const { redelivered, attempts_waiting, dead_letters } = consumers.sfs_auth_user as Figures;
      return status === 200 && redelivered === 1 && attempts_waiting === 1 && dead_letters > 0;
    },
    { what: "the redelivery among the figures" },
  );
});

interface Figures {
  readonly redelivered: number;
  readonly attempts_waiting: number;
  readonly dead_letters: number;
}
