import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { shop, type TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

/* Rows that name the entity of their events in a column: a like that is told of its comment. */

const TABLES = `
comments:
  columns:
    comment_id: { type: text, key: true }
    body: { type: text, default: "" }
likes:
  columns:
    like_id: { type: bigint, key: true }
    comment_id: { type: text, null: true, references: comments, on_delete: cascade }
    stars: { type: integer, default: 1 }
    place: { type: text, null: true }
`;
const like = (action: string, on: string, more = "") =>
  `shop.comment.{id}.${action}: { event: Comment${action}, emit: { table: likes, on: ${on}, id: comment_id${more} }, payload: { comment_id: string?, stars: integer } }`;
const SUBJECTS = `
shop.comment.{id}.created: { event: CommentCreated, emit: { table: comments, on: insert }, payload: { comment_id: string, body: string } }
shop.comment.{id}.deleted: { event: CommentDeleted, emit: { table: comments, on: delete }, payload: { comment_id: string } }
${like("liked", "insert").replace("Commentliked", "CommentLiked")}
${like("starred", "insert", ", when: { stars: 5 }").replace("Commentstarred", "CommentStarred")}
${like("reliked", "update").replace("Commentreliked", "CommentReliked")}
${like("unliked", "delete").replace("Commentunliked", "CommentUnliked")}
shop.like.{id}.made: { event: LikeMade, emit: { table: likes, on: insert }, payload: { like_id: integer } }
`;

let database: TestDatabase;
beforeAll(async () => {
  database = await openService(inject("postgres"), shop(TABLES, SUBJECTS));
});
afterAll(() => database.close());
beforeEach(() =>
  database.client.query(
    "DELETE FROM likes; DELETE FROM comments; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version; INSERT INTO comments VALUES ('a'), ('b')",
  ),
);

const events = async () => {
  const taken = await takeEvents(database.client);
  for (const { body, entity_id, version, event_id, subject } of taken) {
    expect(JSON.parse(body).metadata).toMatchObject({ entity_id, version, event_id });
    expect(subject).toContain(`.${entity_id}.`);
  }
  expect(new Set(taken.map(({ event_id }) => event_id)).size).toBe(taken.length);
  return brief(taken.filter(({ entity }) => entity === "shop.comment"));
};

describe("an event of rows that name its entity", () => {
  test("has that entity's id and next version", async () => {
    await database.client.query("INSERT INTO likes VALUES (1, 'a', 3)");
    await database.client.query("UPDATE likes SET stars = 4");
    await database.client.query("DELETE FROM likes");
    expect(await events()).toEqual([
      "created a v1",
      "created b v1",
      "liked a v2",
      "reliked a v3",
      "unliked a v4",
    ]);
  });

  test("is emitted once for each of several rows of one statement that name the same entity", async () => {
    await takeEvents(database.client);
    await database.client.query(
      "INSERT INTO likes VALUES (3, 'a', 5), (1, 'a', 2), (2, 'b', 1), (4, 'a', 5)",
    );
    expect(await events()).toEqual([
      "liked a v2",
      "liked a v3",
      "liked a v4",
      "liked b v2",
      "starred a v5",
      "starred a v6",
    ]);
    await database.client.query("UPDATE likes SET stars = 9");
    expect(await events()).toEqual(["reliked a v7", "reliked a v8", "reliked a v9", "reliked b v3"]);
    await database.client.query("DELETE FROM likes WHERE comment_id = 'a'");
    expect(await events()).toEqual(["unliked a v10", "unliked a v11", "unliked a v12"]);
  });

  test("also for the rows of one INSERT … ON CONFLICT, and for thousands", async () => {
    await database.client.query("INSERT INTO likes VALUES (1, 'a', 1)");
    await takeEvents(database.client);
    await database.client.query(
      "INSERT INTO likes SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 3000) AS n ON CONFLICT (like_id) DO UPDATE SET stars = 7",
    );
    const taken = await takeEvents(database.client);
    const versions = (id: string) =>
      taken
        .filter(({ entity, entity_id }) => entity === "shop.comment" && entity_id === id)
        .map(({ version }) => version);
    expect(versions("a").length + versions("b").length).toBe(3000);
    for (const id of ["a", "b"]) {
      const [first = 0] = versions(id);
      expect(versions(id)).toEqual(versions(id).map((_, at) => first + at));
    }
  });

  test("is for the entity that the row names now, and absent where it names none", async () => {
    await database.client.query("INSERT INTO likes VALUES (1, NULL, 1)");
    await takeEvents(database.client);
    await database.client.query("UPDATE likes SET comment_id = 'a'");
    await database.client.query("UPDATE likes SET comment_id = 'b'");
    await database.client.query("UPDATE likes SET place = 'elsewhere'");
    await database.client.query("UPDATE likes SET comment_id = NULL");
    await database.client.query("DELETE FROM likes");
    expect(await events()).toEqual(["reliked a v2", "reliked b v2"]);
  });

  test("starts no incarnation, and keeps counting after its entity's deletion", async () => {
    await database.client.query("INSERT INTO likes VALUES (1, 'a', 1)");
    const { rows } = await database.client.query(
      "SELECT first_version::int FROM mesh.entity_version WHERE entity = 'shop.comment' AND entity_id = 'a'",
    );
    expect(rows).toEqual([{ first_version: 1 }]);
    await takeEvents(database.client);
    await database.client.query("DELETE FROM comments WHERE comment_id = 'a'");
    expect([...(await events())].sort()).toEqual([
      expect.stringMatching(/^deleted a v[34]$/),
      expect.stringMatching(/^unliked a v[34]$/),
    ]);
  });
});
