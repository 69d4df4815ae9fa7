import { MESH } from "../../emit/documents/broker-accounts.js";
import type { Deployment } from "../deployment.js";
import type { KubernetesObject } from "./object.js";
import { DEFAULT_REPLICAS } from "./workload.js";

/*
 * KEDA: replicas of who hears follow the lag of their durables. Its scaler for JetStream has two traps.
 * A durable that is not there scales to the most replicas: this is applied when durables have been made, adds one replica a minute, and goes to no
 * more than a few. A server that does not lead a durable tells an old lag: the endpoint is the headless service, by which the scaler finds the
 * leader, and replicas go down only after ten minutes of little lag.
 */

const MOST_REPLICAS = 6;
/** Of messages that wait, per replica: one second of a replica that writes rows is some thousand. */
const LAG = 5_000;

export function scaledObjects({ services }: Deployment, namespace: string): readonly KubernetesObject[] {
  return services
    .filter(({ service }) => service.consumers.length > 0)
    .map(({ service, host }) => ({
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name: host },
      spec: {
        scaleTargetRef: { name: host },
        pollingInterval: 15,
        minReplicaCount: DEFAULT_REPLICAS,
        maxReplicaCount: MOST_REPLICAS,
        advanced: {
          horizontalPodAutoscalerConfig: {
            behavior: {
              scaleUp: { policies: [{ type: "Pods", value: 1, periodSeconds: 60 }] },
              scaleDown: {
                stabilizationWindowSeconds: 600,
                policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
              },
            },
          },
        },
        // Where the broker cannot be asked, what runs stays.
        fallback: { failureThreshold: 3, replicas: DEFAULT_REPLICAS, behavior: "currentReplicas" },
        triggers: service.consumers.map(({ stream, durable }) => ({
          type: "nats-jetstream",
          metadata: {
            natsServerMonitoringEndpoint: `nats-headless.${namespace}.svc.cluster.local:8222`,
            account: MESH,
            stream,
            consumer: durable,
            lagThreshold: String(LAG),
          },
        })),
      },
    }));
}
