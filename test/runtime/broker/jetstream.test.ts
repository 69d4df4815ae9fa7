import { connect } from "nats";
import { inject } from "vitest";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { recordingLogger } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { brokerContract } from "./contract.js";

brokerContract("JetStream", async () => {
  const url = inject("nats");
  const broker = await connectJetStream({ url, name: "contract", logger: recordingLogger() });
  const admin = await connect({ servers: url });
  const manager = await admin.jetstreamManager();
  await waitFor(() => broker.connected());
  return {
    broker,
    deleteStream: async (name) => {
      await manager.streams.delete(name);
    },
    deleteConsumer: async (stream, durable) => {
      await manager.consumers.delete(stream, durable);
    },
    close: async () => {
      await broker.close();
      await admin.close();
    },
  };
});
