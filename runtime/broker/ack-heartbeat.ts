import type { Delivery } from "./broker.js";

export interface AckHeartbeat {
  /** Keeps the broker from delivering these to others, until the returned function is called. */
  hold(deliveries: readonly Delivery[]): () => void;
  stop(): void;
}

/** Sends `working` for everything in hand, three times per ack wait: twice is too late under load. */
export function startAckHeartbeat(ackWaitSeconds: number): AckHeartbeat {
  const held = new Set<readonly Delivery[]>();
  const beat = () => {
    for (const deliveries of held) for (const delivery of deliveries) delivery.working();
  };
  const timer = setInterval(beat, (ackWaitSeconds * 1000) / 3);
  return {
    hold(deliveries) {
      held.add(deliveries);
      return () => held.delete(deliveries);
    },
    stop: () => clearInterval(timer),
  };
}
