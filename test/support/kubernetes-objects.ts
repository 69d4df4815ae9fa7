import * as client from "@kubernetes/client-node";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import {
  PrometheusRule,
  ServiceMonitor,
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { Job } from "kubernetes-models/batch/v1";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ClusterRole, ClusterRoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1";
import { ConfigMap, Secret, Service, ServiceAccount } from "kubernetes-models/v1";

/*
 * Objects of Kubernetes against the schemas of its API and of the custom resources, as packages carry them; and, since those take unknown keys, against
 * the attributes that the official client knows.
 */

export interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
}

type Model = new (data: never) => { validate(): void };

const MODELS: Readonly<Record<string, Model>> = {
  "apps/v1 Deployment": Deployment,
  "batch/v1 Job": Job,
  "networking.k8s.io/v1 Ingress": Ingress,
  "networking.k8s.io/v1 NetworkPolicy": NetworkPolicy,
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
  "rbac.authorization.k8s.io/v1 ClusterRole": ClusterRole,
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": ClusterRoleBinding,
  "v1 ConfigMap": ConfigMap,
  "v1 Secret": Secret,
  "v1 Service": Service,
  "v1 ServiceAccount": ServiceAccount,
  "keda.sh/v1alpha1 ScaledObject": ScaledObject,
  "monitoring.coreos.com/v1 PrometheusRule": PrometheusRule,
  "monitoring.coreos.com/v1 ServiceMonitor": ServiceMonitor,
};

/** Of NACK there is no package: of what `spec` of its custom resources may have at v1beta2, what a plan can say. */
const NACK: Readonly<Record<string, readonly string[]>> = {
  Stream: (
    "name description subjects retention storage discard replicas maxAge maxMsgs maxMsgsPerSubject maxBytes duplicateWindow " +
    "metadata account preventDelete"
  ).split(" "),
  Consumer:
    "streamName durableName filterSubject deliverPolicy ackPolicy ackWait maxDeliver maxAckPending metadata account preventDelete".split(
      " ",
    ),
  Account: ["name", "servers", "user"],
};

/** What is wrong with it, a line each. */
export function objectMistakes(object: AnyObject): readonly string[] {
  const { apiVersion, kind, metadata, spec = {} } = object;
  const name = `${kind} ${metadata.name}`;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(metadata.name)) return [`${name}: no name of Kubernetes`];
  if (apiVersion === "jetstream.nats.io/v1beta2")
    return Object.keys(spec)
      .filter((key) => !NACK[kind]?.includes(key))
      .map((key) => `${name}: unknown key ${key}`);
  const Model = MODELS[`${apiVersion} ${kind}`];
  if (Model === undefined) return [`${name}: no schema of ${apiVersion}`];
  try {
    new Model(object as never).validate();
  } catch (error) {
    return [`${name}: ${(error as Error).message}`];
  }
  return unknownKeys(object, `V1${kind}`, name);
}

interface Attribute {
  readonly name: string;
  readonly baseName: string;
  readonly type: string;
}

const classes: Readonly<Record<string, unknown>> = client;

/** Keys that the client's class does not have; a custom resource has none. */
function unknownKeys(value: unknown, type: string, place: string): readonly string[] {
  const item = /^Array<(.+)>$/.exec(type)?.[1];
  if (item !== undefined)
    return Array.isArray(value)
      ? value.flatMap((each, index) => unknownKeys(each, item, `${place}[${index}]`))
      : [`${place}: no list`];
  const Class = classes[type] as { getAttributeTypeMap?(): readonly Attribute[] } | undefined;
  if (Class?.getAttributeTypeMap === undefined || typeof value !== "object" || value === null) return [];
  const attributes = new Map(Class.getAttributeTypeMap().map((each) => [each.baseName, each]));
  return Object.entries(value).flatMap(([key, inner]) => {
    const attribute = attributes.get(key);
    if (attribute === undefined) return [`${place}: unknown key ${key}`];
    return unknownKeys(inner, attribute.type, `${place}.${key}`);
  });
}
