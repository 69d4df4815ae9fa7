import type { Deployment } from "../deployment.js";
import { type DeployedFile, ours, yaml } from "../print-yaml.js";
import { jetStreamResources } from "./jetstream-resources.js";
import { jobNames, jobObjects } from "./jobs.js";
import { monitorObjects } from "./monitors.js";
import { natsValues } from "./nats-values.js";
import { kedaPolicy, nackPolicy, networkPolicies } from "./network-policies.js";
import { OPERATOR_IMAGE, SERVICE_IMAGE } from "./object.js";
import { overlayText } from "./overlay.js";
import { scaledObjects } from "./scaling.js";
import { serviceObjects } from "./workload.js";

/*
 * A kustomize base that is ours, components that an overlay may add, and an overlay of the environment that is people's.
 */

export interface KubernetesOptions {
  /** `production` */
  readonly environment: string;
  /** generated/nats.conf as it is. */
  readonly accounts: string;
}

export function kubernetesFiles(
  deployment: Deployment,
  { environment, accounts }: KubernetesOptions,
): readonly DeployedFile[] {
  const { services, broker } = deployment;
  const overlay: DeployedFile = {
    path: `kubernetes/overlays/${environment}/kustomization.yaml`,
    text: overlayText(deployment, environment),
    owner: "people",
  };
  return [
    ...baseFiles(deployment),
    ...monitoring(deployment),
    ...(services.some(({ service }) => service.consumers.length > 0) ? scaling(deployment) : []),
    ...(broker === undefined
      ? []
      : [...nack(deployment), ours("kubernetes/nats-values.yaml", yaml(natsValues(broker, accounts)))]),
    overlay,
  ];
}

function baseFiles(deployment: Deployment): readonly DeployedFile[] {
  const { mesh, services } = deployment;
  const files = [
    ...services.map((service) => ours(`${service.host}.yaml`, yaml(...serviceObjects(service, mesh.name)))),
    ours("job-migrate-provision.yaml", yaml(...jobObjects(deployment))),
    ours("network-policies.yaml", yaml(...networkPolicies(deployment))),
  ];
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: files.map(({ path }) => path),
    images: [
      { name: SERVICE_IMAGE, newName: mesh.name },
      { name: OPERATOR_IMAGE, newName: `${mesh.name}-operator` },
    ],
  };
  return [ours("kustomization.yaml", yaml(kustomization)), ...files].map((file) => ({
    ...file,
    path: `kubernetes/base/${file.path}`,
  }));
}

function monitoring(deployment: Deployment): readonly DeployedFile[] {
  return component("monitoring", { "monitors.yaml": monitorObjects(deployment) });
}

function scaling(deployment: Deployment): readonly DeployedFile[] {
  const scaled = scaledObjects(deployment, deployment.mesh.name);
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
    { patches: [{ patch: JSON.stringify(instead) }] },
  );
}

function component(
  name: string,
  resources: Readonly<Record<string, readonly object[]>>,
  more: object = {},
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
  ];
}
