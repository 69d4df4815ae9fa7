import { type Deployment, isPostgresOurs } from "../deployment.js";
import { type DeployedFile, ours, yaml } from "../print-yaml.js";
import { jetStreamResources } from "./jetstream-resources.js";
import { jobNames, jobObjects, ROLES_CONFIG, rolesJob } from "./jobs.js";
import { monitorObjects } from "./monitors.js";
import { natsValues } from "./nats-values.js";
import { kedaPolicy, nackPolicy, networkPolicies, rolesPolicy } from "./network-policies.js";
import { OPERATOR_IMAGE, SERVICE_IMAGE } from "./object.js";
import { operatorObject } from "./operator.js";
import { overlayFiles } from "./overlay.js";
import { scaledObjects } from "./scaling.js";
import { serviceObjects } from "./workload.js";

/*
 * A kustomize base that is ours, components that an overlay may add, and an overlay of the environment that is people's.
 */

export interface KubernetesOptions {
  /** `production` */
  readonly environment: string;
  /** A file of generated/ as it is. */
  readonly generated: (name: string) => string;
  /** What the job of the component `roles` runs. */
  readonly rolesScript: string;
}

export function kubernetesFiles(
  deployment: Deployment,
  { environment, generated, rolesScript }: KubernetesOptions,
): readonly DeployedFile[] {
  const { services, broker } = deployment;
  return [
    ...baseFiles(deployment),
    ...monitoring(deployment),
    ...(isPostgresOurs(deployment)
      ? roles(deployment, { "roles.sh": rolesScript, "roles.sql": generated("roles.sql") })
      : []),
    ...(services.some(({ service }) => service.consumers.length > 0) ? scaling(deployment) : []),
    ...(broker === undefined
      ? []
      : [
          ...nack(deployment),
          ours("kubernetes/nats-values.yaml", yaml(natsValues(broker, generated("nats.conf")))),
        ]),
    ...overlayFiles(deployment, environment),
  ];
}

function baseFiles(deployment: Deployment): readonly DeployedFile[] {
  const { name, services } = deployment;
  const files = [
    ...services.map((service) => ours(`${service.host}.yaml`, yaml(...serviceObjects(service, name)))),
    ours("operator.yaml", yaml(operatorObject(deployment))),
    ours("job-migrate-provision.yaml", yaml(...jobObjects(deployment))),
    ours("network-policies.yaml", yaml(...networkPolicies(deployment))),
  ];
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: files.map(({ path }) => path),
    images: [
      { name: SERVICE_IMAGE, newName: name },
      { name: OPERATOR_IMAGE, newName: `${name}-operator` },
    ],
  };
  return [ours("kustomization.yaml", yaml(kustomization)), ...files].map((file) => ({
    ...file,
    path: `kubernetes/base/${file.path}`,
  }));
}

function monitoring(deployment: Deployment): readonly DeployedFile[] {
  return component(
    "monitoring",
    { "monitors.yaml": monitorObjects(deployment) },
    namesSecret("ServiceMonitor", "spec/endpoints/authorization/credentials/name"),
  );
}

/** Where a custom resource names a secret, whose name kustomize ends with a digest. */
function namesSecret(kind: string, path: string) {
  return {
    configurations: ["secret-names.yaml"],
    secretNames: { nameReference: [{ kind: "Secret", version: "v1", fieldSpecs: [{ kind, path }] }] },
  };
}

/** Its files are at hand for people too: `sh roles.sh`. */
function roles(deployment: Deployment, files: Readonly<Record<string, string>>): readonly DeployedFile[] {
  return [
    ...component(
      "roles",
      { "job-roles.yaml": [rolesJob(deployment)], "network-policy.yaml": [rolesPolicy(deployment)] },
      { configMapGenerator: [{ name: ROLES_CONFIG, files: Object.keys(files) }] },
    ),
    ...Object.entries(files).map(([name, text]) => ours(`kubernetes/components/roles/${name}`, text)),
  ];
}

function scaling(deployment: Deployment): readonly DeployedFile[] {
  const scaled = scaledObjects(deployment, deployment.name);
  // Otherwise each apply would set the replicas back.
  const patches = scaled.map(({ metadata: { name } }) => ({
    target: { kind: "Deployment", name },
    patch: "- op: remove\n  path: /spec/replicas\n",
  }));
  return component(
    "keda",
    { "scaled-objects.yaml": scaled, "network-policy.yaml": [kedaPolicy] },
    { patches },
  );
}

function nack(deployment: Deployment): readonly DeployedFile[] {
  const instead = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: jobNames(deployment).provision },
    $patch: "delete",
  };
  return component(
    "nack",
    {
      "streams-and-consumers.yaml": jetStreamResources(deployment.mesh),
      "network-policy.yaml": [nackPolicy],
    },
    { patches: [{ patch: JSON.stringify(instead) }], ...namesSecret("Account", "spec/user/secret/name") },
  );
}

function component(
  name: string,
  resources: Readonly<Record<string, readonly object[]>>,
  { secretNames, ...more }: { readonly secretNames?: object; readonly [key: string]: unknown } = {},
): readonly DeployedFile[] {
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1alpha1",
    kind: "Component",
    resources: Object.keys(resources),
    ...more,
  };
  return [
    ours(`kubernetes/components/${name}/kustomization.yaml`, yaml(kustomization)),
    ...Object.entries(resources).map(([file, objects]) =>
      ours(`kubernetes/components/${name}/${file}`, yaml(...objects)),
    ),
    ...(secretNames === undefined
      ? []
      : [ours(`kubernetes/components/${name}/secret-names.yaml`, yaml(secretNames))]),
  ];
}
