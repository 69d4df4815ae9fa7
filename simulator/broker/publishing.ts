import { type OutgoingMessage, type PublishAck, PublishFailed } from "@meshwright/runtime";
import { refuseUnpublishable } from "@meshwright/runtime/simulation";
import type { Adversary } from "./adversary.js";
import { type SimulatedConnection, within } from "./connection.js";
import { headerBytes, MESSAGE_ID, unsendableHeader } from "./headers.js";
import type { ServerPort } from "./port.js";

const ACK_TIMEOUT_MS = 5_000;

export interface PublishingOptions {
  readonly connection: SimulatedConnection;
  readonly adversary: Adversary;
  readonly maxPayload: number;
}

/**
 * A publish is two messages on the wire: to the stream, and the ack back. Publishes of one client reach the stream in the
 * order of the calls, as over one connection; acks come back in any order.
 */
export function createSimulatedPublishing(
  options: PublishingOptions,
): (message: OutgoingMessage) => Promise<PublishAck> {
  const { connection } = options;
  let turn: Promise<unknown> = Promise.resolve();

  const deliver = async (message: OutgoingMessage, before: Promise<unknown>, stillWanted: () => boolean) => {
    await before;
    if (!stillWanted()) return connection.lost();
    return connection.cross(`publish ${message.subject}`, (port) => arrive(port, message, options.adversary));
  };
  return async (message) => {
    if (!connection.connected()) throw new PublishFailed("the broker is not connected", "broker");
    const refusal = refuseUnpublishable(message) ?? refuseSize(message, options.maxPayload);
    if (refusal) throw refusal;
    let wanted = true;
    const stored = deliver(message, turn, () => wanted);
    const answered = within(ACK_TIMEOUT_MS, awaitAck(connection, message.subject, stored));
    // A publish whose ack never comes delays the next one by the ack time-out at most.
    turn = Promise.race([stored, answered]).catch(() => undefined);
    try {
      const ack = await answered;
      if (ack) return ack;
    } catch (cause) {
      if (cause instanceof PublishFailed) throw cause;
      throw new PublishFailed("the connection to the broker was lost before the ack", "broker", { cause });
    } finally {
      wanted = false;
    }
    throw new PublishFailed(`no ack within ${ACK_TIMEOUT_MS} ms`, "broker");
  };
}

type Answer = PublishAck | "no stream" | "lost";

function arrive(port: ServerPort, message: OutgoingMessage, adversary: Adversary): Answer {
  const loses = adversary.losesPublish(message.subject);
  if (loses === "before") return "lost";
  const ack = port.store({ ...message, headers: headersOf(message) }, adversary);
  return loses === "after" ? "lost" : (ack ?? "no stream");
}

async function awaitAck(
  connection: SimulatedConnection,
  subject: string,
  stored: Promise<Answer>,
): Promise<PublishAck> {
  const answer = await stored;
  if (answer === "lost") return connection.lost();
  const arrived = await connection.cross(`publish ack ${subject}`, () => answer);
  if (arrived === "no stream") {
    throw new PublishFailed("no stream takes this subject, or JetStream is not ready", "broker");
  }
  return arrived;
}

function headersOf({ id, headers }: OutgoingMessage): Readonly<Record<string, string>> {
  return { [MESSAGE_ID]: id, ...headers };
}

function refuseSize(message: OutgoingMessage, maxPayload: number): PublishFailed | undefined {
  const headers = headersOf(message);
  const unsendable = unsendableHeader(headers);
  if (unsendable !== undefined) {
    return new PublishFailed(`the header ${JSON.stringify(unsendable)} cannot be sent`, "message");
  }
  if (message.body.length + headerBytes(headers) <= maxPayload) return undefined;
  return new PublishFailed("larger than the broker's max_payload", "message");
}
