import { openLookup } from "../../emit/lookup.js";
import { alertGroups } from "../../emit/monitoring/alert-rules.js";
import type { Deployment } from "../deployment.js";
import { monitoringPolicy } from "./network-policies.js";
import { type KubernetesObject, meshLabels } from "./object.js";

/** Of the overlay. */
const METRICS_SECRET = "reader-metrics";

/** For the Prometheus operator: every service is scraped at /metrics, Prometheus is let in, and has the rules of generated/monitoring/alerts.yml. */
export function monitorObjects(deployment: Deployment): readonly KubernetesObject[] {
  const { name, mesh } = deployment;
  const labels = meshLabels(name);
  return [
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "ServiceMonitor",
      metadata: { name, labels },
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
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PrometheusRule",
      metadata: { name, labels },
      spec: {
        groups: alertGroups(openLookup(mesh)).map((group) => ({
          name: group.name,
          rules: group.rules.map(({ severity, labels: more, summary, description, ...rule }) => ({
            ...rule,
            labels: { severity, ...more },
            annotations: { summary, description },
          })),
        })),
      },
    },
    monitoringPolicy(deployment),
  ];
}
