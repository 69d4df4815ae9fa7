import type { DeployTarget } from "./deploy-targets.js";
import { type Deployment, isPostgresOurs } from "./deployment.js";

/*
 * What people do after `mesh deploy`: the first time, with each release, and with secrets that have changed.
 */

export interface Placed {
  readonly target: DeployTarget;
  readonly environment: string;
  /** `deploy` */
  readonly out: string;
}

/** Commands in their order; a line that starts with "#" says what is to be done in a file. */
export function firstSteps(deployment: Deployment, placed: Placed): readonly string[] {
  const { target, out } = placed;
  switch (target) {
    case "compose":
      return [releaseStep(deployment, placed)];
    case "kubernetes": {
      const { name, broker } = deployment;
      const overlay = overlayOf(placed);
      return [
        ...["service", "operator"].map((stage) => {
          const image = `REGISTRY/${name}${stage === "service" ? "" : "-operator"}:TAG`;
          return `docker build --file ${out}/Dockerfile --target ${stage} --tag ${image} . && docker push ${image}`;
        }),
        `# ${overlay}/kustomization.yaml: those two images${isPostgresOurs(deployment) ? ", and the component roles or generated/roles.sql by hand" : ""}`,
        `kubectl create namespace ${name}`,
        `kubectl apply -k ${overlay}`,
        ...(broker === undefined
          ? []
          : [
              "helm repo add nats https://nats-io.github.io/k8s/helm/charts/",
              `helm install nats nats/nats --namespace ${name} --values ${out}/kubernetes/nats-values.yaml`,
            ]),
      ];
    }
    default:
      return target satisfies never;
  }
}

export function releaseStep({ name }: Deployment, placed: Placed): string {
  const { target, environment, out } = placed;
  switch (target) {
    case "compose":
      return `${environment === "production" ? "" : `MESH_ENV=${environment} `}docker compose --project-directory ${out}/compose up --build --detach`;
    case "kubernetes":
      return `kubectl delete jobs --selector app.kubernetes.io/part-of=${name} --namespace ${name} && kubectl apply -k ${overlayOf(placed)}`;
    default:
      return target satisfies never;
  }
}

/** Who has to start anew, by the files of secrets that have changed, and what does that. */
export function restartSteps(
  { name }: Deployment,
  { target }: Placed,
  changed: readonly string[],
): readonly string[] {
  const restarted = changed.map((file) => file.replace(/^(service|job|server|reader)-/, "")).join(", ");
  const byHand = changed.includes("server-nats");
  switch (target) {
    case "compose":
      return [`secrets of ${restarted} have changed: the command below restarts who has them`];
    case "kubernetes":
      return [
        `secrets of ${restarted} have changed: the command below replaces the pods that have them`,
        ...(byHand
          ? [
              `those of NATS not: kubectl rollout restart statefulset nats --namespace ${name}, behind it and ahead of the services`,
            ]
          : []),
      ];
    default:
      return target satisfies never;
  }
}

function overlayOf({ out, environment }: Placed): string {
  return `${out}/kubernetes/overlays/${environment}`;
}
