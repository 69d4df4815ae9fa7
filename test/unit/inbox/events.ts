import { buildModel, type ConsumerModel } from "../../../runtime/inbox/consumer-model.js";
import { type Incoming, parseMessage } from "../../../runtime/inbox/parse.js";
import { deliver, type Sent } from "../../support/user-consumer.js";

export type StoredEvent = Omit<Sent, "deliveries" | "raw">;

/** Events as they are read off the stream. */
export function eventsOf(model: ConsumerModel, sent: readonly StoredEvent[]): readonly Incoming[] {
  return sent.map((one) => {
    const parsed = parseMessage(model, deliver(one), one.seq);
    if (!parsed.ok) throw new Error(parsed.rejected.reason);
    return parsed.incoming;
  });
}

export { buildModel };
