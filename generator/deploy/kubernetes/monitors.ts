import type { Deployment } from "../deployment.js";
import { type KubernetesObject, meshLabels } from "./object.js";

/** Of the overlay. */
const METRICS_SECRET = "reader-metrics";

/** Of the namespace that Prometheus runs in. */
const MONITORING = "monitoring";

/** For the Prometheus operator: every service is scraped at /metrics, and Prometheus is let in. */
export function monitorObjects({ mesh, services }: Deployment): readonly KubernetesObject[] {
  const labels = meshLabels(mesh.name);
  const ports = [...new Set(services.map(({ port }) => port))].map((port) => ({ protocol: "TCP", port }));
  return [
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "ServiceMonitor",
      metadata: { name: mesh.name, labels },
      spec: {
        selector: { matchLabels: labels },
        jobLabel: "app.kubernetes.io/name",
        endpoints: [
          {
            port: "http",
            path: "/metrics",
            interval: "15s",
            scrapeTimeout: "10s",
            authorization: { type: "Bearer", credentials: { name: METRICS_SECRET, key: "METRICS_KEY" } },
          },
        ],
      },
    },
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "monitoring" },
      spec: {
        podSelector: { matchLabels: labels },
        policyTypes: ["Ingress"],
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": MONITORING } } }],
            ports,
          },
        ],
      },
    },
  ];
}
