import { startNats } from "../test/support/servers.js";
import { type Rates, relayContest } from "./relay.js";
import { row } from "./row.js";
import type { Section } from "./section.js";

export const syncingBroker: Section = {
  name: "syncing-broker",
  about: `The relay with a broker of which each message is on the disk before its ack (\`sync_interval: always\`). The broker syncs what it has
stored before it acks, one message after the other. Bare publishing has as many in flight as the relay.`,
  measure: async (bench) => {
    const { postgresUrl } = await bench.servers();
    const nats = await startNats({ syncInterval: "always" });
    try {
      const rates: Rates = await relayContest(
        bench,
        { postgresUrl, natsUrl: nats.url },
        bench.by({ smoke: 100, short: 3_000, full: 20_000 }),
      );
      const of = { unit: "/s", samples: rates.relay } as const;
      return [
        row({ ...of, what: "events relayed, each synced", goal: { of: "value", atLeast: 15_000 } }),
        row({
          ...of,
          what: "events relayed, to the runtime's bare publishing",
          yardstick: { what: "the runtime's bare publishing", samples: rates.runtime },
          goal: { of: "ratio", atLeast: 0.8 },
        }),
      ];
    } finally {
      await nats.remove();
    }
  },
};
