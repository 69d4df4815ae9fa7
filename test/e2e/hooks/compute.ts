import { appendFileSync, existsSync } from "node:fs";
import type { ComputeHooks } from "../../../generated/compute/service.js";

/** Stands in for the cluster: records which namespaces were deleted, and fails while a file exists. */
export const computeHooks: ComputeHooks = {
  async deleteContainerNamespace({ row }) {
    const { CLUSTER_LOG, CLUSTER_DOWN } = process.env;
    if (CLUSTER_DOWN && existsSync(CLUSTER_DOWN)) throw new Error("the cluster is out of reach");
    if (CLUSTER_LOG) appendFileSync(CLUSTER_LOG, `${row.namespace}\n`);
  },
};
