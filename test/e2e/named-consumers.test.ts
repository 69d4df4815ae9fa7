import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { afterTest, openClient } from "../support/after-test.js";
import { readMesh } from "../support/compile.js";
import { compile, generate, testProject } from "../support/generated-project.js";
import { mesh, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * Several durables of one service on one subject: a copy, a mailer that fails or ends its process, and an audit of everything.
 */

const HOOKS = `import type { DeskHooks } from "../generated/desk/service.js";

const mail = "INSERT INTO mails (mail_id, order_id, text) VALUES (gen_random_uuid(), $1, $2)";

export const deskHooks: DeskHooks = {
  async onOrderPaid({ event, tx }) {
    await tx.query(mail, [event.order_id, "copied"]);
  },
  mailer: {
    async onOrderPaid({ event, tx }) {
      await tx.query(mail, [event.order_id, "paid"]);
      if (event.order_id === "refused") throw new Error("no such mailbox");
      if (event.order_id === "fatal") process.kill(process.pid, "SIGKILL");
    },
  },
  audit: {
    async onEvent({ subject, tx }) {
      await tx.query(mail, ["-", subject]);
    },
  },
};
`;

async function makeOrders(): Promise<string> {
  const folder = testProject();
  const text = readMesh("test/scenarios/emit/named-consumers/mesh.yaml");
  const document = parse(text.replace("attempts: 20, backoff: [1m]", "attempts: 2, backoff: [100ms]"));
  // What a killed process had in hand comes back soon.
  await generate(folder, { ...document, delivery: { ack_wait: "2s" } });
  mkdirSync(join(folder, "hooks"));
  writeFileSync(join(folder, "hooks/desk.ts"), HOOKS);
  expect(compile(folder, ["generated", "hooks"])).toBe("");
  return folder;
}

test("a mailer that fails, is killed or gets a duplicate leaves copy and audit as they are, and is redriven alone", {
  timeout: 110_000,
}, async () => {
  const folder = await makeOrders();
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const shop = await openClient(dev.endpoints.databases.shop_db);
  const desk = await openClient(dev.endpoints.databases.desk_db);
  const mails = async (order: string) =>
    (await desk.query("SELECT text FROM mails WHERE order_id = $1 ORDER BY 1", [order])).rows.map(
      ({ text }) => text,
    );
  const copied = async () =>
    (await desk.query("SELECT order_id, state FROM order_cache ORDER BY 1")).rows.map(
      (row) => `${row.order_id} ${row.state}`,
    );

  await shop.query(
    "INSERT INTO orders (order_id, buyer) VALUES ('fatal', 'a'), ('refused', 'b'), ('fine', 'c')",
  );
  await shop.query("UPDATE orders SET state = 'paid'");
  await waitFor(async () => (await copied()).join() === "fatal paid,fine paid,refused paid", {
    timeoutMs: 30_000,
    what: "the copy",
  });
  const letters = async () =>
    (await desk.query("SELECT durable, subject, attempts FROM mesh.dead_letter ORDER BY subject")).rows;
  await waitFor(async () => (await letters()).length === 2, { timeoutMs: 60_000, what: "two dead letters" });
  expect(await letters()).toEqual([
    { durable: "desk_shop_order_paid_mailer", subject: "shop.order.fatal.paid", attempts: 2 },
    { durable: "desk_shop_order_paid_mailer", subject: "shop.order.refused.paid", attempts: 2 },
  ]);
  await waitFor(async () => (await mails("fine")).length === 2, { what: "the mail of the fine order" });
  expect(await mails("fine")).toEqual(["copied", "paid"]);
  expect(await mails("refused")).toEqual(["copied"]);

  // The message again, under an id of its own: the copy's guard and the mailer's both know it.
  const nats = await connect({ servers: dev.endpoints.nats, ...dev.endpoints.nats_operator });
  afterTest(() => nats.close());
  const manager = await nats.jetstreamManager();
  const stored = await manager.streams.getMessage("SHOP", { last_by_subj: "shop.order.fine.paid" });
  await nats.jetstream().publish("shop.order.fine.paid", stored.data);
  process.kill(dev.servicePid("desk"), "SIGKILL");
  const drained = async (durable: string) => {
    const { num_pending, num_ack_pending } = await manager.consumers.info("SHOP", durable);
    return num_pending === 0 && num_ack_pending === 0;
  };
  for (const durable of ["desk_shop_order", "desk_shop_order_audit", "desk_shop_order_paid_mailer"])
    await waitFor(() => drained(durable), { timeoutMs: 60_000, what: `${durable} to be drained` });
  expect(await mails("fine")).toEqual(["copied", "paid"]);
  expect(await mails("-")).toEqual(
    ["fatal", "fine", "refused"]
      .flatMap((id) => ["changed", "paid", "placed"].map((action) => `shop.order.${id}.${action}`))
      .toSorted(),
  );

  // Each durable for itself: the copy's, and those that have hooks alone.
  const standings = async (id: string) => {
    const { subscribers, problems } = JSON.parse(
      (await mesh(folder, "trace", "shop.order", id, "--json")).stdout,
    );
    const found = subscribers.map((one: { durable: string; standing: { kind: string } }) => [
      one.durable,
      one.standing.kind,
    ]);
    return { standings: Object.fromEntries(found), problems };
  };
  expect(await standings("fine")).toEqual({
    standings: {
      desk_shop_order: "applied",
      desk_shop_order_audit: "applied",
      desk_shop_order_paid_mailer: "applied",
    },
    problems: [],
  });
  expect(await standings("refused")).toEqual({
    standings: expect.objectContaining({ desk_shop_order: "applied", desk_shop_order_paid_mailer: "dead" }),
    problems: [{ problem: "desk: it is a dead letter: hook: no such mailbox", remedy: expect.any(String) }],
  });

  writeFileSync(
    join(folder, "hooks/desk.ts"),
    HOOKS.replace('if (event.order_id === "refused") throw new Error("no such mailbox");', ""),
  );
  const listed = await mesh(folder, "dlq", "list", "desk", "--json");
  const found = (JSON.parse(listed.stdout) as { deadLetters: { id: number; subject: string }[] }).deadLetters;
  expect(found).toHaveLength(2);
  const refused = found.find(({ subject }) => subject === "shop.order.refused.paid");
  const redriven = await mesh(folder, "dlq", "redrive", "desk", String(refused?.id));
  expect(redriven.code, redriven.stdout + redriven.stderr).toBe(0);
  expect(await mails("refused")).toEqual(["copied", "paid"]);
});
