import { expect, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import { startParts } from "../../../runtime/service/parts.js";
import { openOwner } from "../../support/event-owner.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { defineService } from "../../support/service-definition.js";

test("the parts of a service stop to their end though its database is away by then", async () => {
  const owner = await openOwner();
  const connected = await owner.connect();
  let closed = false;
  const broker: Broker = {
    ...connected,
    close: async () => {
      closed = true;
    },
  };
  const definition: ServiceDefinition = await defineService({
    name: owner.service,
    stream: owner.stream,
    publishes: [`${owner.service}.user.*.*`],
  });
  let away = false;
  // The relay has its own connection, and has not noticed yet.
  const pool: typeof owner.pool = Object.create(owner.pool, {
    query: {
      value: (...given: readonly unknown[]) =>
        away
          ? Promise.reject(new Error("connect ECONNREFUSED"))
          : Reflect.apply(owner.pool.query, owner.pool, given),
    },
  });
  const parts = startParts({ definition, broker, env: {}, pool, logger: silent });
  await waitFor(async () =>
    JSON.stringify((await parts.report(owner.pool)).checks).includes('"leader":true'),
  );
  away = true;
  await parts.stopConsuming();
  await parts.stop();
  expect(closed).toBe(true);
  await owner.close();
});
