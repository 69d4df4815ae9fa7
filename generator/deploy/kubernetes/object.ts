/** An object of Kubernetes, as YAML prints it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly [part: string]: unknown;
}

export type Labels = Readonly<Record<string, string>>;

const NAME = "app.kubernetes.io/name";
const PART_OF = "app.kubernetes.io/part-of";

/** What selects the pods of one part of the mesh, and nobody else's in the namespace. */
export function labelsOf(mesh: string, name: string): Labels {
  return { [NAME]: name, [PART_OF]: mesh };
}

/** All pods of the mesh. */
export function meshLabels(mesh: string): Labels {
  return { [PART_OF]: mesh };
}

/** As the Helm chart of NATS labels its pods. */
export const NATS_LABELS: Labels = { [NAME]: "nats" };

/** Who runs a mesh's PostgreSQL in the cluster labels its pods by the database, to let in who has to reach it and nobody else. */
export const DATABASE_LABEL = "meshwright/database";

/** Of the policies by which pods reach PostgreSQL. */
export const EGRESS_LABEL = "meshwright/egress";

/** In the image that the overlay names. */
export const SERVICE_IMAGE = "mesh-service";
export const OPERATOR_IMAGE = "mesh-operator";

/** The one container of each pod, so that one patch fits all. */
export const CONTAINER = "mesh";

export const CONFINED_CONTAINER = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} as const;

export const CONFINED_POD = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

/** The one folder that can be written to. */
export const SCRATCH = {
  volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
  volumes: [{ name: "tmp", emptyDir: { sizeLimit: "64Mi" } }],
} as const;

export const BROKER_URL = "nats://nats:4222";
