import { randomUUID } from "node:crypto";

/** Who calls whom in the reference mesh. */
const PAIRS = ["SFS_TO_AUTH", "COMPUTE_TO_AUTH", "GATEWAY_TO_COMPUTE"];

/** Every key of the reference mesh, for services that share one environment. */
export function referenceKeys(operatorKey: string = randomUUID()): Record<string, string> {
  return {
    OPERATOR_KEY: operatorKey,
    ...Object.fromEntries(PAIRS.map((pair) => [`${pair}_KEY`, randomUUID()])),
  };
}
