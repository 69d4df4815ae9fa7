import { POSTGRES_IMAGE } from "../compose.js";
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

/** What the jobs are called, and their pods labelled. */
export function jobNames(deployment: Deployment) {
  return {
    roles: freeName("roles", deployment),
    migrate: freeName("migrate", deployment),
    provision: freeName("provision", deployment),
  };
}

/** Ahead of the services, which wait for both. A job cannot be changed: the one of the last release is deleted before the next is applied. */
export function jobObjects(deployment: Deployment): readonly KubernetesObject[] {
  const { name, databases, broker } = deployment;
  const names = jobNames(deployment);
  return [
    ...(databases.length === 0
      ? []
      : [job(name, names.migrate, { args: ["migrate"], secret: "job-migrate" })]),
    ...(broker === undefined
      ? []
      : [
          job(name, names.provision, {
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

/** Databases and roles, by the server's administrator, whose password is in the secret: ahead of `migrate`, which is tried again until they are there. */
export function rolesJob(deployment: Deployment): KubernetesObject {
  const { roles } = jobNames(deployment);
  return job(deployment.name, roles, {
    image: POSTGRES_IMAGE,
    user: POSTGRES_USER,
    command: ["sh", "/etc/mesh/roles.sh"],
    args: [],
    secret: "job-roles",
    env: [{ name: "PGUSER", value: "postgres" }],
    config: ROLES_CONFIG,
  });
}

/** Of roles.sh and roles.sql. */
export const ROLES_CONFIG = "roles";
/** Of the image. */
const POSTGRES_USER = 999;

interface JobRun {
  readonly args: readonly string[];
  readonly secret: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly image?: string;
  readonly user?: number;
  readonly command?: readonly string[];
  /** A ConfigMap, whose files are in /etc/mesh. */
  readonly config?: string;
}

function job(mesh: string, name: string, run: JobRun): KubernetesObject {
  const { args, secret, env = [], image = OPERATOR_IMAGE, user, command, config } = run;
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
          securityContext: {
            ...CONFINED_POD,
            ...(user === undefined ? {} : { runAsUser: user, runAsGroup: user }),
          },
          containers: [
            {
              name: CONTAINER,
              image,
              ...(command === undefined ? {} : { command }),
              args,
              env,
              envFrom: [{ secretRef: { name: secret } }],
              resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "512Mi" } },
              securityContext: CONFINED_CONTAINER,
              volumeMounts: [
                ...SCRATCH.volumeMounts,
                ...(config === undefined ? [] : [{ name: "config", mountPath: "/etc/mesh" }]),
              ],
            },
          ],
          volumes: [
            ...SCRATCH.volumes,
            ...(config === undefined ? [] : [{ name: "config", configMap: { name: config } }]),
          ],
        },
      },
    },
  };
}
