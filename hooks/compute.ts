import type { BeforeContext, StartContext } from "@meshwright/runtime";
import type { ComputeHooks } from "../generated/compute/service.js";
import type { ContainerRow } from "../generated/compute/tables.js";
import { type Cluster, findClusterSource, openCluster } from "./kubernetes.js";

/** A DNS label, which every namespace's name is; anything else would end up in the path of a request. */
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** The cluster's own. A row that names one of these is a mistake, or an attack. */
const RESERVED = /^(default$|kube-)/;

/** What Compute does beyond its tables, caches and cascades: containers live in Kubernetes namespaces. */
export function createComputeHooks(): ComputeHooks {
  let cluster: Cluster | "none" | undefined;
  return {
    async start({ env, logger }) {
      cluster = await chooseCluster(env);
      if (cluster === "none")
        logger.warn({}, "CONTAINER_CLUSTER=none: containers have no cluster to be deleted from");
      else logger.info({ server: cluster.server }, "containers live in this cluster");
    },

    async deleteContainerNamespace({ row, logger, signal }: BeforeContext<ContainerRow>) {
      if (cluster === undefined) throw new Error("the start hook has not run: no cluster was chosen");
      const { container_id: container, namespace } = row;
      if (cluster === "none") {
        logger.info({ container, namespace }, "no cluster: the namespace is taken as deleted");
        return;
      }
      if (!NAMESPACE.test(namespace) || RESERVED.test(namespace)) {
        throw new Error(
          `${JSON.stringify(namespace)} is not the namespace of a container; mend the row, it is tried again`,
        );
      }
      await cluster.deleteNamespace(namespace, signal);
      logger.info({ container, namespace }, "namespace deleted");
    },
  };
}

/** Refuses the start rather than to find out, at the first deletion, that there is no cluster. */
async function chooseCluster(env: StartContext["env"]): Promise<Cluster | "none"> {
  const choice = env.CONTAINER_CLUSTER;
  if (choice === "none") return "none";
  if (choice === "kubeconfig" || choice === "in-cluster") return await openCluster(choice, env);
  if (choice !== undefined) {
    throw new Error(
      `CONTAINER_CLUSTER is ${JSON.stringify(choice)}; it is one of none, kubeconfig, in-cluster`,
    );
  }
  const found = await findClusterSource(env);
  if (found !== undefined) return await openCluster(found, env);
  throw new Error(
    "no Kubernetes cluster is configured; set CONTAINER_CLUSTER to kubeconfig, in-cluster or none",
  );
}

export const computeHooks: ComputeHooks = createComputeHooks();
