import { type Action, anyName, type Writing } from "./action.js";

/** Creates, changes, deletes and re-creates users, and swaps their names, by SQL and REST. */
export const userActions: readonly Action[] = [
  {
    name: "create user",
    weight: 12,
    service: "auth",
    async write({ client, random, user, writeLog }) {
      const id = user();
      await client.query("INSERT INTO users (user_id, username) VALUES ($1, $2)", [id, anyName(random)]);
      writeLog.users.add(id);
    },
  },
  {
    name: "create users, one statement",
    weight: 3,
    service: "auth",
    async write({ client, user, writeLog }) {
      const { rows } = await client.query<{ user_id: string }>(
        `INSERT INTO users (user_id, username)
         SELECT DISTINCT id, 'name-' || substr(id, 2) FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING RETURNING user_id`,
        [[user(), user(), user(), user(), user()]],
      );
      for (const { user_id } of rows) writeLog.users.add(user_id);
    },
  },
  {
    name: "rename user",
    weight: 12,
    service: "auth",
    write: ({ client, random, user }) =>
      done(client.query("UPDATE users SET username = $2 WHERE user_id = $1", [user(), anyName(random)])),
  },
  {
    name: "change display names",
    weight: 12,
    service: "auth",
    write: ({ client, user, serial }) =>
      done(
        client.query("UPDATE users SET display_name = $2 WHERE user_id = ANY ($1)", [
          [user(), user(), user()],
          `display ${serial()}`,
        ]),
      ),
  },
  { name: "swap names", weight: 8, service: "auth", transaction: true, write: swapNames },
  {
    name: "delete user",
    weight: 10,
    service: "auth",
    write: ({ client, user }) => done(client.query("DELETE FROM users WHERE user_id = $1", [user()])),
  },
  {
    name: "delete users, one statement",
    weight: 2,
    service: "auth",
    write: ({ client, user }) =>
      done(client.query("DELETE FROM users WHERE user_id = ANY ($1)", [[user(), user(), user()]])),
  },
  { name: "create again", weight: 6, service: "auth", transaction: true, write: createAgain },
  { name: "hand name over", weight: 6, service: "auth", transaction: true, write: handNameOver },
  {
    name: "create user by REST",
    weight: 5,
    service: "auth",
    async write({ call, random, user, writeLog }) {
      const user_id = user();
      const status = await call("auth", "POST /api/users", { user_id, username: anyName(random) });
      if (status === 201) writeLog.users.add(user_id);
    },
  },
  {
    name: "change user by REST",
    weight: 5,
    service: "auth",
    write: async ({ call, user, serial }) => {
      await call("auth", `PATCH /api/users/${user()}`, { display_name: `rest ${serial()}` });
    },
  },
  {
    name: "delete user by REST",
    weight: 3,
    service: "auth",
    write: async ({ call, user }) => {
      await call("auth", `DELETE /api/users/${user()}`);
    },
  },
];

async function done(query: Promise<unknown>): Promise<void> {
  await query;
}

/** Swaps two names in one transaction, by way of a third name. */
async function swapNames({ client, user, serial }: Writing): Promise<void> {
  const { rows } = await client.query<{ user_id: string; username: string }>(
    "SELECT user_id, username FROM users WHERE user_id = ANY ($1) ORDER BY user_id FOR UPDATE",
    [[user(), user()]],
  );
  const [a, b] = rows;
  if (a === undefined || b === undefined) return;
  const rename = "UPDATE users SET username = $2 WHERE user_id = $1";
  await client.query(rename, [a.user_id, `swap-${serial()}`]);
  await client.query(rename, [b.user_id, a.username]);
  await client.query(rename, [a.user_id, b.username]);
}

/** Deletes and creates in one transaction: a new incarnation of the same id. */
async function createAgain({ client, random, user }: Writing): Promise<void> {
  const id = user();
  const { rowCount } = await client.query("DELETE FROM users WHERE user_id = $1", [id]);
  if (rowCount === 0) return;
  await client.query("INSERT INTO users (user_id, username) VALUES ($1, $2)", [id, anyName(random)]);
}

/** Deletes a user and gives the name to another one, in one transaction. */
async function handNameOver({ client, user }: Writing): Promise<void> {
  const heir = user();
  const { rows } = await client.query<{ username: string }>(
    "DELETE FROM users WHERE user_id = $1 AND user_id <> $2 RETURNING username",
    [user(), heir],
  );
  const [gone] = rows;
  if (gone === undefined) return;
  await client.query("UPDATE users SET username = $2 WHERE user_id = $1", [heir, gone.username]);
}
