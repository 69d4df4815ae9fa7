import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.js";
import { userConsumer } from "../../support/user-consumer.js";

/*
 * What the broker delivers into a lost connection comes again only after the ack wait, behind later events: without versions these
 * would make it old news, and its hook would never run.
 */

const DURABLE = "compute_auth_user";

let rig: Rig;
let proxy: TcpProxy;
let far: Broker;
beforeEach(async () => {
  rig = await openRig();
  const { hostname: host, port } = new URL(inject("nats"));
  proxy = await startTcpProxy({ host, port: Number(port) });
  far = await connectJetStream({ url: `nats://${host}:${proxy.port}`, name: "far", logger: silent });
});
afterEach(async () => {
  await rig.close();
  await far.close();
  await proxy.close();
});

test.each([undefined, 2])(
  "each hook runs, in order, without waiting for the ack wait; first version: %s",
  async (first) => {
    const heard: string[] = [];
    const updated = async ({ event }: { event: { username: string } }) => {
      heard.push(event.username);
    };
    const consumer = await rig.start(userConsumer({ stream: rig.stream, hooks: { updated } }), {
      broker: far,
    });
    await waitFor(() => consumer.stats().connected, { what: "the consumer" });
    const say = (username: string, at: number) => {
      const version = first === undefined ? undefined : first + at;
      return rig.say({
        ...{ id: "a", action: at < 0 ? "created" : "updated", payload: { username } },
        ...(version === undefined ? {} : { version }),
      });
    };
    await say("zero", -1);
    await waitFor(() => rig.settled(DURABLE), { what: "the creation" });
    proxy.setWeather({ silent: "down" });
    await say("one", 0);
    await waitFor(
      async () => (await rig.manager.consumers.info(rig.stream, DURABLE)).delivered.consumer_seq === 2,
      {
        what: "the broker to deliver it into nothing",
      },
    );
    proxy.cut();
    proxy.setWeather({});
    await say("two", 1);
    await waitFor(() => rig.settled(DURABLE), { what: "every event" });
    expect(heard).toEqual(["one", "two"]);
  },
);
