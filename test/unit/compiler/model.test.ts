import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Document, isMap, isSeq, type Pair, parseDocument } from "yaml";
import { compileMesh } from "../../../generator/compile.js";
import { renderDiagnostics } from "../../../generator/diagnostics/render.js";
import type { Mesh } from "../../../generator/model/mesh.js";

const reference = readFileSync(new URL("../../../mesh.yaml", import.meta.url), "utf8");

function compile(text: string): Mesh {
  const { mesh, diagnostics } = compileMesh(text, { file: "mesh.yaml" });
  if (mesh === undefined) throw new Error(renderDiagnostics(diagnostics));
  return mesh;
}

function find<T extends { readonly name: string }>(parts: readonly T[], name: string): T {
  const part = parts.find((candidate) => candidate.name === name);
  if (part === undefined)
    throw new Error(`no ${name} among ${parts.map((candidate) => candidate.name).join(", ")}`);
  return part;
}

describe("the model of the reference mesh", () => {
  const mesh = compile(reference);

  test("a pattern becomes the filter that NATS understands", () => {
    expect(find(mesh.services, "auth").publishes).toEqual([
      { text: "auth.user.*", filter: "auth.user.*.*", service: "auth", entity: "user" },
    ]);
    expect(find(mesh.services, "sfs").publishes[0]?.filter).toBe("sfs.*.*.*");
  });

  test("an entity's events are ordered: create, update, delete", () => {
    expect(find(mesh.services, "auth").events).toEqual(["UserCreated", "UserUpdated", "UserDeleted"]);
    expect(find(mesh.services, "compute").consumers[0]?.events).toEqual([
      "UserCreated",
      "UserUpdated",
      "UserDeleted",
    ]);
  });

  test("a consumer keeps the cache and carries the cascades of its service", () => {
    const [consumer] = find(mesh.services, "compute").consumers;
    expect(consumer).toMatchObject({
      durable: "compute_auth_user",
      stream: "AUTH",
      filter: "auth.user.*.*",
      entity: "auth.user",
      cache: "user_cache",
      names: { type: "ComputeUser", value: "computeUser", file: "auth-user.ts" },
      cascades: [
        {
          event: "UserDeleted",
          action: "delete",
          table: "containers",
          column: "user_id",
          before: "deleteContainerNamespace",
        },
        { event: "UserDeleted", action: "delete", table: "ssh_keys", column: "user_id", before: undefined },
      ],
    });
  });

  test("a sync is also a call, with a key for the two services", () => {
    expect(
      mesh.calls.map(({ caller, callee, keyVariable, reasons, grants }) => [
        caller,
        callee,
        keyVariable,
        reasons,
        grants,
      ]),
    ).toEqual([
      ["compute", "auth", "COMPUTE_TO_AUTH_KEY", ["sync"], [{ path: "/api/users", verbs: ["get"] }]],
      [
        "gateway",
        "compute",
        "GATEWAY_TO_COMPUTE_KEY",
        ["existence"],
        [{ path: "/api/containers", verbs: ["get"] }],
      ],
      ["sfs", "auth", "SFS_TO_AUTH_KEY", ["sync"], [{ path: "/api/users", verbs: ["get"] }]],
    ]);
  });

  test("an aliased table is a table of its own", () => {
    const caches = ["sfs_db", "compute_db"].map((name) =>
      find(find(mesh.databases, name).tables, "user_cache"),
    );
    expect(caches.map((table) => table.cache?.sync?.keyVariable)).toEqual([
      "SFS_TO_AUTH_KEY",
      "COMPUTE_TO_AUTH_KEY",
    ]);
    expect(caches[0]?.columns).toEqual(caches[1]?.columns);
    expect(caches[0]?.columns.map((column) => column.name)).toEqual([
      "user_id",
      "username",
      "display_name",
      "synced_at",
    ]);
  });

  test("the stream limits are the documented ones", () => {
    expect(find(mesh.streams, "AUTH")).toEqual({
      name: "AUTH",
      service: "auth",
      subjects: ["auth.user.*.*"],
      replicas: undefined,
      maxAgeSeconds: 604_800,
      maxMessages: 1_000_000,
      maxBytes: 1_073_741_824,
      duplicateWindowSeconds: 120,
      tombstoneSeconds: 90 * 86_400,
      external: false,
    });
  });

  test("the documented environment variables come first", () => {
    const names = find(mesh.services, "compute").environment.map((variable) => variable.name);
    expect(names.slice(0, 3)).toEqual(["NATS_URL", "AUTH_SERVICE_URL", "COMPUTE_DB_URL"]);
    expect(names.at(-1)).toBe("CONTAINER_CLUSTER");
  });

  test("an optional field may be null", () => {
    const created = find(mesh.events, "NamespaceCreated");
    expect(find(created.payload, "owner_id")).toMatchObject({
      optional: true,
      schema: { type: ["string", "null"] },
    });
  });

  test("survives JSON, as the lock file stores it", () => {
    expect(JSON.parse(JSON.stringify(mesh))).toEqual(JSON.parse(JSON.stringify(compile(reference))));
  });
});

/** Keys whose order is data: the order of a table's columns and of a payload's fields. */
const ordered = new Set(["columns", "payload"]);

function shuffle(document: Document, order: (length: number) => readonly number[]): string {
  const visit = (node: unknown, name: string): void => {
    if (isSeq(node)) for (const item of node.items) visit(item, "");
    if (!isMap(node)) return;
    for (const pair of node.items) visit(pair.value, String((pair.key as { value?: unknown }).value));
    if (ordered.has(name)) return;
    const pairs: Pair[] = node.items;
    node.items = order(pairs.length).flatMap((index) => pairs[index] ?? []);
  };
  visit(document.contents, "");
  return document.toString();
}

test("moving blocks of mesh.yaml changes nothing in the mesh", () => {
  const expected = compile(reference);
  // Without its alias: a shuffled alias could come to stand above its anchor.
  const plain = JSON.stringify(parseDocument(reference, { stringKeys: true }).toJS());
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
      const order = (length: number): readonly number[] =>
        Array.from({ length }, (_, index) => ({ index, weight: numbers.next().value ?? 0 }))
          .sort((a, b) => a.weight - b.weight)
          .map(({ index }) => index);
      expect(compile(shuffle(parseDocument(plain), order))).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});

test("a copy is held against its entity's rows, though an event that rows of another table tell of it stands first", () => {
  const mesh = compile(`
mesh: m
services:
  blog: { database: blog_db, publishes: [blog.*], http: { port: 3001, resources: { /api/posts: posts } } }
  reader: { database: reader_db, subscribes: [blog.post.*] }
databases:
  blog_db:
    tables:
      posts: { columns: { post_id: { type: nanoid, key: true }, title: text } }
      likes: { columns: { like_id: { type: nanoid, key: true }, post_id: text? } }
  reader_db:
    tables:
      post_cache:
        cache: blog.post
        sync: { from: blog, get: /api/posts }
        columns: { post_id: { type: nanoid, key: true }, title: text }
subjects:
  blog.post.{id}.liked: { event: PostLiked, emit: { table: likes, on: insert, id: post_id }, payload: { post_id: string? } }
  blog.post.{id}.created: { event: PostCreated, emit: { table: posts, on: insert }, payload: { post_id: nanoid, title: string } }
  blog.post.{id}.updated: { event: PostUpdated, emit: { table: posts, on: update }, payload: { post_id: nanoid, title: string } }
  blog.post.{id}.deleted: { event: PostDeleted, emit: { table: posts, on: delete }, payload: { post_id: nanoid } }
`);
  expect(find(mesh.services, "reader").consumers[0]).toMatchObject({
    entity: "blog.post",
    cache: "post_cache",
  });
});

describe("the language beyond the reference mesh", () => {
  const external = `
mesh: m
services:
  auth: { external: true, publishes: [auth.user.*] }
  class:
    database: class_db
    subscribes: [auth.*, legacy.user.*]
    delivery: { attempts: 2, backoff: [500ms, 1m] }
  legacy: { external: true, publishes: [legacy.*], stream: { replicas: 3, max_bytes: 64MiB } }
databases:
  class_db:
    description: ours
subjects:
  auth.user.{id}.joined:
    event: UserJoined
    change: create
    payload:
      user_id: string
      tags: string[]?
      level: { type: integer, optional: true, description: how far }
  legacy.user.{id}.gone: { event: LegacyUserGone }
`;
  const mesh = compile(external);
  const service = find(mesh.services, "class");

  test("reserved words get a trailing underscore", () => {
    expect(service.names).toEqual({ type: "Class", value: "class_" });
  });

  test("two entities of one name are told apart by their owners", () => {
    expect(service.consumers.map(({ names, durable }) => [names.type, durable])).toEqual([
      ["ClassAuthUser", "class_auth_user"],
      ["ClassLegacyUser", "class_legacy_user"],
    ]);
  });

  test("durations and sizes have their units", () => {
    expect(service.consumers[0]?.delivery).toMatchObject({
      attempts: 2,
      backoffSeconds: [0.5, 60],
      ackWaitSeconds: 30,
    });
    expect(find(mesh.streams, "LEGACY")).toMatchObject({ replicas: 3, maxBytes: 67_108_864, external: true });
  });

  test("a field is a shorthand or a JSON Schema", () => {
    expect(
      find(mesh.events, "UserJoined").payload.map(({ optional, type, schema }) => ({
        optional,
        type,
        schema,
      })),
    ).toEqual([
      { optional: false, type: "string", schema: { type: "string" } },
      { optional: true, type: undefined, schema: { type: ["array", "null"], items: { type: "string" } } },
      { optional: true, type: undefined, schema: { type: ["integer", "null"], description: "how far" } },
    ]);
  });

  test("change is what the file says, else what the action is called, else none", () => {
    expect(find(mesh.events, "UserJoined").change).toBe("create");
    expect(find(mesh.events, "LegacyUserGone").change).toBe("none");
  });

  test("a service may subscribe to itself", () => {
    const text = external.replace(
      "subscribes: [auth.*, legacy.user.*]",
      "publishes: [class.*]\n    subscribes: [class.*]",
    );
    const own = compile(`${text}  class.lesson.{id}.held: { event: LessonHeld }\n`);
    expect(find(own.services, "class").consumers.map((consumer) => consumer.entity)).toEqual([
      "class.lesson",
    ]);
  });
});
