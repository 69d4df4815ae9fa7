import { expect, test } from "vitest";
import { isCanonicalId } from "../../../runtime/database/key.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../../runtime/inbox/parse.js";
import { deliver, userCache, userConsumer } from "../../support/user-consumer.js";

/*
 * A key of type char: PostgreSQL drops blanks at the end of its values, so an id with some would be the id of another row.
 */

const columns = userCache.columns.map((column) =>
  column.name === "user_id" ? ({ ...column, type: "char(4)" } as const) : column,
);
const model = buildModel({ ...userConsumer(), cache: { ...userCache, columns } });

function deletionOf(id: string) {
  const message = deliver({ action: "deleted", id, seq: 1 });
  return parseMessage(model, { ...message, subject: "auth.user.x.deleted" }, 1);
}

test("an event whose id ends with a blank is refused, with the reason; one that begins with it is not", () => {
  expect(deletionOf("u1").ok).toBe(true);
  expect(deletionOf(" u1").ok).toBe(true);
  expect(deletionOf("u1 ")).toMatchObject({
    rejected: {
      reason: expect.stringContaining("its id has a blank at the end of user_id, which is char(4)"),
    },
  });
});

test("a path with such an id names no row", () => {
  const key = columns.slice(0, 1);
  expect(["u1", " u1", "u1 "].map((id) => isCanonicalId(key, id))).toEqual([true, true, false]);
});
