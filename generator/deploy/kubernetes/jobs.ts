import { type Deployment, freeName } from "../deployment.js";
import {
  BROKER_URL,
  CONFINED_CONTAINER,
  CONFINED_POD,
  type KubernetesObject,
  labelsOf,
  OPERATOR_IMAGE,
  SCRATCH,
} from "./object.js";

/** What the jobs are called, and their pods labelled. */
export function jobNames(deployment: Deployment) {
  return { migrate: freeName("migrate", deployment), provision: freeName("provision", deployment) };
}

/** Ahead of the services, which wait for both. A job cannot be changed: the one of the last release is deleted before the next is applied. */
export function jobObjects(deployment: Deployment): readonly KubernetesObject[] {
  const { mesh, databases, broker } = deployment;
  const names = jobNames(deployment);
  return [
    ...(databases.length === 0
      ? []
      : [job(mesh.name, names.migrate, { args: ["migrate"], secret: "job-migrate" })]),
    ...(broker === undefined
      ? []
      : [
          job(mesh.name, names.provision, {
            args: ["provision", "--replicas", String(brokerReplicas(broker.servers))],
            secret: "job-provision",
            env: [{ name: "NATS_URL", value: BROKER_URL }],
          }),
        ]),
  ];
}

/** A cluster keeps a quorum when one of its servers goes. */
export function brokerReplicas(servers: number): number {
  return Math.max(3, servers);
}

interface JobRun {
  readonly args: readonly string[];
  readonly secret: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
}

function job(mesh: string, name: string, { args, secret, env = [] }: JobRun): KubernetesObject {
  const labels = labelsOf(mesh, name);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels },
    spec: {
      backoffLimit: 6,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "OnFailure",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: CONFINED_POD,
          containers: [
            {
              name,
              image: OPERATOR_IMAGE,
              args,
              env,
              envFrom: [{ secretRef: { name: secret } }],
              resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "512Mi" } },
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
