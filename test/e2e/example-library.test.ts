import { join } from "node:path";
import { connect } from "nats";
import { expect, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { makeExample } from "../support/example.js";
import { mesh, operatorUrl, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

test("examples/library: reservations expire and loans fall due once, also where the service is killed, and a fine that is refused ends the loan", {
  timeout: 110_000,
}, async () => {
  const folder = await makeExample("library");
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const lending = await openClient(dev.endpoints.databases.lending_db);
  const accounts = await openClient(dev.endpoints.databases.accounts_db);
  const nats = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => nats.close());
  const heard: string[] = [];
  nats.subscribe(">", {
    callback: (_, { subject }) => void (/^(lending|accounts)\./.test(subject) && heard.push(subject)),
  });
  await nats.flush();
  const states = async (table: "reservations" | "loans", key: string) =>
    (await lending.query(`SELECT ${key} AS id, state FROM ${table} ORDER BY 1`)).rows
      .map(({ id, state }) => `${id} ${state}`)
      .join();
  const become = (table: "reservations" | "loans", key: string, wanted: string) =>
    waitFor(async () => (await states(table, key)) === wanted, { timeoutMs: 30_000, what: wanted });

  await accounts.query(
    "INSERT INTO readers VALUES ('ann', 10.00, NULL), ('ben', 1.00, NULL), ('cat', 10.00, now())",
  );
  await lending.query(`INSERT INTO reservations VALUES ('missed', 'ann', 'Emma', 'waiting', now() + '3 s'),
    ('taken', 'ann', 'Ulysses', 'waiting', now() + '3 s'), ('put off', 'ann', 'Walden', 'waiting', now() + '3 s')`);
  await lending.query(`INSERT INTO loans VALUES ('1', 'ann', 'Emma', 'lent', now() + '3 s'),
    ('2', 'ben', 'Ulysses', 'lent', now() + '3 s'), ('3', 'cat', 'Walden', 'lent', now() + '3 s'), ('4', 'ben', 'Emma', 'lent', now() + '3 s')`);
  await lending.query(`UPDATE reservations SET state = 'collected' WHERE reservation_id = 'taken';
    UPDATE reservations SET expires_at = now() + '1 day' WHERE reservation_id = 'put off'; UPDATE loans SET state = 'returned' WHERE loan_id = '4'`);
  expect(heard).toEqual([]);
  // Nobody is there when the moment comes; who comes back tells of it, late.
  process.kill(dev.servicePid("lending"), "SIGKILL");

  await become("reservations", "reservation_id", "missed expired,put off waiting,taken collected");
  await become("loans", "loan_id", "1 lent,2 taken_back,3 taken_back,4 returned");
  expect((await accounts.query("SELECT balance FROM readers ORDER BY reader_id")).rows).toEqual([
    { balance: "7.50" },
    { balance: "1.00" },
    { balance: "10.00" },
  ]);
  expect((await accounts.query("SELECT loan_id, state FROM fines ORDER BY 1")).rows).toEqual([
    { loan_id: "1", state: "charged" },
    { loan_id: "2", state: "refused" },
    { loan_id: "3", state: "refused" },
  ]);
  await waitFor(() => heard.filter((subject) => subject.endsWith(".taken-back")).length === 2);
  expect(heard.filter((subject) => !subject.startsWith("accounts.")).toSorted()).toEqual([
    "lending.loan.1.overdue",
    "lending.loan.2.overdue",
    "lending.loan.2.taken-back",
    "lending.loan.3.overdue",
    "lending.loan.3.taken-back",
    "lending.reservation.missed.expired",
  ]);
  const { stdout } = await mesh(folder, "status", "--json");
  expect(stdout).toContain('"moments"');
});
