import { type DeployedService, mainOf, openVariables, STOP_SECONDS } from "../deployment.js";
import { secretOf } from "../secret-values.js";
import {
  BROKER_URL,
  CONFINED_CONTAINER,
  CONFINED_POD,
  CONTAINER,
  type KubernetesObject,
  labelsOf,
  SCRATCH,
  SERVICE_IMAGE,
} from "./object.js";

/*
 * What a service is in Kubernetes: a Deployment, the name that callers reach it by, and what keeps one of its pods running while nodes
 * are drained.
 */

/** Endpoints forget a pod that ends only after a while: it serves on until then. The kubelet sleeps by itself since Kubernetes 1.30. */
const DRAIN_SECONDS = 5;

export const DEFAULT_REPLICAS = 2;

/** `mesh`: the deployment's name. */
export function serviceObjects(deployed: DeployedService, mesh: string): readonly KubernetesObject[] {
  const { host } = deployed;
  const labels = labelsOf(mesh, host);
  return [
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: host, labels },
      automountServiceAccountToken: false,
    },
    deploymentOf(deployed, labels),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: serviceName(host), labels },
      spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }] },
    },
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: host, labels },
      spec: {
        maxUnavailable: 1,
        selector: { matchLabels: labels },
        unhealthyPodEvictionPolicy: "AlwaysAllow",
      },
    },
  ];
}

/** `auth-service`, as AUTH_SERVICE_URL is documented. */
export function serviceName(host: string): string {
  return `${host}-service`;
}

function deploymentOf(deployed: DeployedService, labels: Readonly<Record<string, string>>): KubernetesObject {
  const { host } = deployed;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: host, labels },
    spec: {
      replicas: DEFAULT_REPLICAS,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: host,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: DRAIN_SECONDS + STOP_SECONDS,
          securityContext: CONFINED_POD,
          topologySpreadConstraints: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(
            (topologyKey) => ({
              topologyKey,
              maxSkew: 1,
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: labels },
            }),
          ),
          containers: [containerOf(deployed)],
          volumes: SCRATCH.volumes,
        },
      },
    },
  };
}

function containerOf(deployed: DeployedService) {
  const { service, port } = deployed;
  const variables = openVariables(deployed, { broker: BROKER_URL, urlOf: ({ host }) => serviceUrl(host) });
  const get = (path: string) => ({ httpGet: { path, port: "http" }, timeoutSeconds: 5 });
  return {
    name: CONTAINER,
    image: SERVICE_IMAGE,
    args: [mainOf(service)],
    ports: [{ name: "http", containerPort: port, protocol: "TCP" }],
    env: Object.entries(variables).map(([name, value]) => ({ name, value })),
    envFrom: [{ secretRef: { name: secretOf(deployed) } }],
    startupProbe: { ...get("/healthz"), periodSeconds: 2, failureThreshold: 30 },
    readinessProbe: { ...get("/readyz"), periodSeconds: 5, failureThreshold: 2 },
    livenessProbe: { ...get("/healthz"), periodSeconds: 10, failureThreshold: 6 },
    lifecycle: { preStop: { sleep: { seconds: DRAIN_SECONDS } } },
    // Memory does not grow with tables and backlogs; an upper limit of CPU would slow down what catches up.
    resources: { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: "512Mi" } },
    securityContext: CONFINED_CONTAINER,
    volumeMounts: SCRATCH.volumeMounts,
  };
}

export function serviceUrl(host: string): string {
  return `http://${serviceName(host)}:80`;
}
