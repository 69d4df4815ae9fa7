import type { Deployment } from "../deployment.js";
import { envFilesOf } from "../secret-values.js";

/** The environment's own kustomization, which is people's from then on: what mesh.yaml cannot know. */
export function overlayText(deployment: Deployment, environment: string): string {
  const { mesh } = deployment;
  const secrets = Object.keys(envFilesOf(deployment, {})).filter((name) => isUsed(name));
  const lines = secrets.flatMap((name) => [
    `  - name: ${name}`,
    `    envs: [secrets/${name}.env]`,
    // Named by the Helm chart's values and the ServiceMonitor, in which kustomize knows no names.
    ...(["server-nats", "reader-metrics"].includes(name)
      ? ["    options: { disableNameSuffixHash: true }"]
      : []),
  ]);
  return `# ${mesh.name} in ${environment}. This file is yours: \`mesh deploy\` wrote it once and does not touch it again.
#   kubectl apply -k .          (docs/production.md says what comes before)
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: ${mesh.name}
resources:
  - ../../base
# Each needs what it is named after in the cluster.
# components:
#   - ../../components/monitoring   # Prometheus operator
#   - ../../components/keda         # once the durables are there
#   - ../../components/nack         # streams and durables in place of the job "provision"
images:
  - name: ${mesh.name}
    newName: ${mesh.name}           # registry.example/${mesh.name}
    newTag: latest
  - name: ${mesh.name}-operator
    newName: ${mesh.name}-operator
    newTag: latest
# From files that git does not know. Where the cluster has them from a vault, take this out and keep the names.
secretGenerator:
${lines.join("\n")}
# Replicas, hosts and all else, service by service:
# patches:
#   - target: { kind: Deployment, name: ${deployment.services[0]?.host ?? "service"} }
#     patch: |-
#       - { op: replace, path: /spec/replicas, value: 3 }
# Where the namespace is another one, KEDA has to ask there.
replacements:
  - source: { kind: ServiceAccount, name: ${deployment.services[0]?.host ?? "service"}, fieldPath: metadata.namespace }
    targets:
      - select: { kind: ScaledObject }
        fieldPaths: [spec.triggers.*.metadata.natsServerMonitoringEndpoint]
        options: { delimiter: ".", index: 1 }
`;
}

/** PostgreSQL is not ours to run here, and its administrator no pod. */
function isUsed(file: string): boolean {
  return !["server-postgres", "job-roles", "operator"].includes(file);
}
