import { connectSimulated, createSimulatedServer } from "../../../simulator/broker/index.js";
import { recordingLogger } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { brokerContract } from "./contract.js";

brokerContract("The simulated broker", async () => {
  const server = createSimulatedServer();
  const broker = connectSimulated({ server, name: "contract", logger: recordingLogger() });
  await waitFor(() => broker.connected());
  return {
    broker,
    deleteStream: async (name) => {
      server.deleteStream(name);
    },
    deleteConsumer: async (stream, durable) => {
      server.deleteConsumer(stream, durable);
    },
    close: () => broker.close(),
  };
});
