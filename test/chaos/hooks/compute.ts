import { appendFileSync, existsSync } from "node:fs";
import type { ComputeHooks } from "../../../generated/compute/service.js";

/** Stands for the cluster: writes down which namespaces were deleted, and is out of reach while a file exists. */
export const computeHooks: ComputeHooks = {
  async deleteContainerNamespace({ row }) {
    const { CLUSTER_LOG, CLUSTER_DOWN } = process.env;
    if (CLUSTER_DOWN && existsSync(CLUSTER_DOWN)) throw new Error("the cluster is out of reach");
    if (CLUSTER_LOG) appendFileSync(CLUSTER_LOG, `${row.namespace}\n`);
  },
};
