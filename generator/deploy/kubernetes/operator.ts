import { serviceUrlVariable } from "../../model/names.js";
import { type Deployment, freeName } from "../deployment.js";
import {
  BROKER_URL,
  CONFINED_CONTAINER,
  CONFINED_POD,
  CONTAINER,
  type KubernetesObject,
  labelsOf,
  OPERATOR_IMAGE,
  SCRATCH,
} from "./object.js";
import { serviceUrl } from "./workload.js";

/*
 * Where people run mesh status, trace, tail, dlq, resync and verify, with a secret of its own. It may do everything everywhere, so that no pod
 * of it runs until somebody asks for one, and the next release takes it away again.
 */

const SECRET = "operator";

/** A process that waits for `kubectl exec`, and ends when it is told to. */
const WAIT = ["node", "-e", 'process.once("SIGTERM", () => process.exit()); setInterval(() => {}, 60_000)'];

export function operatorName(deployment: Deployment): string {
  return freeName("mesh", deployment);
}

export function operatorObject(deployment: Deployment): KubernetesObject {
  const name = operatorName(deployment);
  const labels = labelsOf(deployment.name, name);
  const urls = deployment.services.map(({ service, host }) => ({
    name: serviceUrlVariable(service.name),
    value: serviceUrl(host),
  }));
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          securityContext: CONFINED_POD,
          containers: [
            {
              name: CONTAINER,
              image: OPERATOR_IMAGE,
              command: WAIT,
              env: [
                ...(deployment.broker === undefined ? [] : [{ name: "NATS_URL", value: BROKER_URL }]),
                ...urls,
              ],
              envFrom: [{ secretRef: { name: SECRET } }],
              resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
              securityContext: CONFINED_CONTAINER,
              volumeMounts: SCRATCH.volumeMounts,
            },
          ],
          volumes: SCRATCH.volumes,
        },
      },
    },
  };
}
