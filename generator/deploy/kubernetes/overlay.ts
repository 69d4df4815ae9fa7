import type { Deployment } from "../deployment.js";
import { isPostgresOurs } from "../deployment.js";
import type { DeployedFile } from "../print-yaml.js";
import { envFilesOf } from "../secret-values.js";
import { hooksText, ingressText } from "./overlay-resources.js";

/*
 * The environment's own kustomization, which is people's from then on: what mesh.yaml cannot know. What is switched off stands behind a "#"
 * without a space, so that taking it away switches it on; prose stands behind "# ".
 */

export function overlayFiles(deployment: Deployment, environment: string): readonly DeployedFile[] {
  const folder = `kubernetes/overlays/${environment}`;
  const people = (name: string, text: string): DeployedFile => ({
    path: `${folder}/${name}`,
    text,
    owner: "people",
  });
  return [
    people("kustomization.yaml", overlayText(deployment, environment)),
    people("ingress.yaml", ingressText(deployment)),
    ...withHooks(deployment).map((service) =>
      people(`hooks-${service.host}.yaml`, hooksText(service, deployment.name)),
    ),
  ];
}

function withHooks({ services }: Deployment) {
  return services.filter(({ hasHooks }) => hasHooks);
}

function overlayText(deployment: Deployment, environment: string): string {
  const { name, services, broker, mesh } = deployment;
  const first = services[0]?.host ?? "service";
  const ownDatabases = isPostgresOurs(deployment);
  return `# ${mesh.name} in ${environment}. This file is yours: \`mesh deploy\` wrote it once and does not touch it again.
# What comes before and after \`kubectl apply -k .\` is in docs/operations.md of meshwright. What stands behind a "#" without a space is
# switched off: take the "#" away to have it.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: ${name}
resources:
  - ../../base
# From outside to a service, through the ingress controller of the cluster:
#  - ingress.yaml
${lines(
  withHooks(deployment).flatMap(({ service, host }) => [
    `# What hooks of ${service.name} reach beyond the mesh, and what they may do in the cluster:`,
    `#  - hooks-${host}.yaml`,
  ]),
)}# Each needs in the cluster what it is named after.
#components:
${lines([
  ...(ownDatabases
    ? [
        "# Databases and roles, made by the administrator of PostgreSQL (POSTGRES_PASSWORD); with the secret job-roles below:",
        "#  - ../../components/roles",
      ]
    : []),
  "# Prometheus operator (one that selects rules and monitors by labels wants them here: patches):",
  "#  - ../../components/monitoring",
  ...(services.some(({ service }) => service.consumers.length > 0)
    ? ["# KEDA, once the durables are there:", "#  - ../../components/keda"]
    : []),
  ...(broker === undefined
    ? []
    : [
        '# NACK in its control loop, which makes streams and durables in place of the job "provision":',
        "#  - ../../components/nack",
      ]),
])}# In a registry that the cluster reads. A digest in place of the tag says which bytes: \`digest: sha256:…\`
images:
  - name: ${name}
    newName: ${name}
    newTag: latest
  - name: ${name}-operator
    newName: ${name}-operator
    newTag: latest
# From files that git does not know. Pods are replaced when their secret has changed, but those of NATS. Where the cluster has its secrets from a
# vault, take this out and keep the names.
secretGenerator:
${lines(secretLines(deployment))}# One patch for each thing that mesh.yaml does not say:
#patches:
# Replicas of a service, and its memory
#  - target: { kind: Deployment, name: ${first} }
#    patch: |-
#      - { op: replace, path: /spec/replicas, value: 3 }
#      - { op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: 1Gi }
# A variable that is no secret, for all services; for one by its name as above
#  - target: { kind: Deployment, labelSelector: app.kubernetes.io/part-of=${name} }
#    patch: |-
#      - { op: add, path: /spec/template/spec/containers/0/env/-, value: { name: LOG_EVENTS, value: "on" } }
${lines(
  withHooks(deployment).flatMap(({ service, host }) => [
    `# Hooks of ${service.name} ask the API server, with the token of the service's account`,
    `#  - target: { kind: Deployment, name: ${host} }`,
    "#    patch: |-",
    "#      - { op: replace, path: /spec/template/spec/automountServiceAccountToken, value: true }",
  ]),
)}# PostgreSQL at one address, and on another port than 5432
#  - target: { kind: NetworkPolicy, labelSelector: meshwright/egress=postgresql }
#    patch: |-
#      - { op: add, path: /spec/egress/0/to, value: [{ ipBlock: { cidr: 10.0.0.10/32 } }] }
#      - { op: replace, path: /spec/egress/0/ports/0/port, value: 6432 }
# Secrets as files: of each variable NAME the service reads the file that NAME_FILE names, and NAME goes from its secret
#  - target: { kind: Deployment, name: ${first} }
#    patch: |-
#      - { op: add, path: /spec/template/spec/volumes/-, value: { name: vault, secret: { secretName: vault-${first} } } }
#      - { op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: { name: vault, mountPath: /run/secrets, readOnly: true } }
#      - { op: add, path: /spec/template/spec/containers/0/env/-, value: { name: OPERATOR_KEY_FILE, value: /run/secrets/operator_key } }
# TLS to the broker, and to PostgreSQL by POSTGRES_ADDRESS=host:5432?sslmode=verify-full&sslrootcert=/etc/mesh-ca/ca.crt in the list of secrets.
# NATS needs \`helm upgrade … --set config.nats.tls.enabled=true --set config.nats.tls.secretName=nats-tls\`, with a certificate for "nats"
#  - target: { kind: Deployment|Job, labelSelector: app.kubernetes.io/part-of=${name} }
#    patch: |-
#      - { op: add, path: /spec/template/spec/volumes/-, value: { name: mesh-ca, secret: { secretName: mesh-ca } } }
#      - { op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: { name: mesh-ca, mountPath: /etc/mesh-ca, readOnly: true } }
#      - { op: add, path: /spec/template/spec/containers/0/env/-, value: { name: NATS_CA, value: /etc/mesh-ca/ca.crt } }
# Where the namespace is another one, KEDA has to ask there.
replacements:
  - source: { kind: ServiceAccount, name: ${first}, fieldPath: metadata.namespace }
    targets:
      - select: { kind: ScaledObject }
        fieldPaths: [spec.triggers.*.metadata.natsServerMonitoringEndpoint]
        options: { delimiter: ".", index: 1 }
`;
}

function secretLines(deployment: Deployment): readonly string[] {
  return Object.keys(envFilesOf(deployment, {}, "kubernetes")).flatMap((name) => {
    // With the component alone.
    const off = name === "job-roles" ? "#" : "";
    return [
      `${off}  - name: ${name}`,
      `${off}    envs: [secrets/${name}.env]`,
      // Helm's values name it, in which kustomize knows no names.
      ...(name === "server-nats" ? ["    options: { disableNameSuffixHash: true }"] : []),
    ];
  });
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
