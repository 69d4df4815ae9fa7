import { describe, expect, test } from "vitest";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import { compile } from "../../support/compile.js";
import { templates } from "../../support/migrations.js";

/* Whom a field of an event concerns, by name: who hears it, and what keeps it. */

/** Two services keep copies of one name, in databases of their own, with columns of their own. */
const TWINS = `mesh: twins
services:
  auth: { database: auth_db, publishes: [auth.*] }
  files: { database: files_db, subscribes: [auth.user.*] }
  jobs: { database: jobs_db, subscribes: [auth.user.*] }
databases:
  auth_db:
    tables:
      users: { columns: { user_id: { type: nanoid, key: true }, name: text, mail: text } }
  files_db:
    tables:
      user_cache: { cache: auth.user, columns: { user_id: { type: text, key: true }, name: text } }
  jobs_db:
    tables:
      user_cache: { cache: auth.user, columns: { user_id: { type: text, key: true }, mail: text } }
subjects:
  auth.user.{id}.created:
    event: UserCreated
    emit: { table: users, on: insert }
    payload: { user_id: nanoid, name: string, mail: string }
  auth.user.{id}.deleted:
    event: UserDeleted
    emit: { table: users, on: delete }
    payload: { user_id: nanoid, name: string }
`;

function concerns(from: string, to: string) {
  const [before, next] = [compile(TWINS), compile(TWINS.replace(from, to))];
  return compareMeshes(before, next, { templates }).changes.flatMap((change) =>
    change.concerns.map(({ service, field, as }) => `${service} ${field ?? ""}: ${as}`),
  );
}

describe("a field of an event", () => {
  test("is kept by the copy of the hearer's own database, whatever another database has under the same name", () => {
    expect(
      concerns(
        "payload: { user_id: nanoid, name: string, mail: string }",
        'payload: { user_id: nanoid, name: { type: string, pattern: "^a" }, mail: string }',
      ),
    ).toEqual([
      "auth users.name: writes of rows that do not fit are refused, of its running replicas too",
      "files user_cache.name: keeps it",
      "jobs : hears it; its hooks may read the field",
    ]);
  });

  test("is kept by no copy where its event tells of a deletion", () => {
    expect(
      concerns(
        "payload: { user_id: nanoid, name: string }",
        'payload: { user_id: nanoid, name: { type: string, pattern: "^a" } }',
      ),
    ).toEqual([
      "auth users.name: writes of rows that do not fit are refused, of its running replicas too",
      "files : hears it; its hooks may read the field",
      "jobs : hears it; its hooks may read the field",
    ]);
  });
});
