import type { Tx } from "../definition/hook-definition.js";
import type { ConsumerModel } from "./consumer-model.js";

/** Records that a snapshot is wanted, in the transaction of the events that showed why: a crash cannot lose it. */
export async function wantSnapshot(tx: Tx, model: ConsumerModel, gaps: readonly string[]): Promise<void> {
  await tx.query("UPDATE mesh.subscription SET snapshot_wanted = $2 WHERE durable = $1", [
    model.definition.durable,
    gaps.slice(0, 3).join("; "),
  ]);
}
