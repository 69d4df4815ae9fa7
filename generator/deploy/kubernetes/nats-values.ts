import type { Broker } from "../deployment.js";
import { brokerReplicas } from "./jobs.js";

const GIB = 2 ** 30;

/** Values of the Helm chart nats/nats: a cluster with the accounts of nats.conf, whose passwords are in the secret of the overlay. */
export function natsValues({ servers, storage, users }: Broker, accounts: string): object {
  return {
    config: {
      cluster: { enabled: true, replicas: brokerReplicas(servers) },
      jetstream: {
        enabled: true,
        // As much again as the streams may hold, for snapshots of the cluster and streams that grow.
        fileStore: { pvc: { size: `${Math.max(10, Math.ceil((2 * storage) / GIB))}Gi` } },
      },
      // The chart makes an include of it.
      merge: { "00$include": "accounts.conf" },
    },
    configMap: { merge: { data: { "accounts.conf": accounts } } },
    container: {
      env: Object.fromEntries(
        users.map(({ passwordVariable: key }) => [
          key,
          { valueFrom: { secretKeyRef: { name: "server-nats", key } } },
        ]),
      ),
    },
    podTemplate: {
      topologySpreadConstraints: {
        "kubernetes.io/hostname": { maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" },
      },
    },
    natsBox: { enabled: false },
  };
}
