import { type DeployedService, type Deployment, hostLabel } from "../deployment.js";
import { jobNames } from "./jobs.js";
import {
  DATABASE_LABEL,
  type KubernetesObject,
  type Labels,
  labelsOf,
  meshLabels,
  NATS_LABELS,
} from "./object.js";

/*
 * Who reaches whom, exactly as mesh.yaml has it: callers their callees over HTTP, each service and the job that migrates its database
 * PostgreSQL, who publishes or hears the broker, all of them the names of the cluster. What a component installs is let in by that
 * component. Anything else is refused. Kubelets, which ask the probes, are
 * let in by Kubernetes itself.
 */

const POSTGRES_PORT = 5432;
const DNS = {
  to: [{ namespaceSelector: {}, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
  ports: [port(53, "UDP"), port(53)],
};

export function networkPolicies(deployment: Deployment): readonly KubernetesObject[] {
  const { mesh, services } = deployment;
  return [
    policy("default-deny", meshLabels(mesh.name), { ingress: [], egress: [DNS] }),
    ...services.map((service) => servicePolicy(service, deployment)),
    ...jobPolicies(deployment),
    ...databasePolicies(deployment),
    ...brokerPolicy(deployment),
  ];
}

function servicePolicy(deployed: DeployedService, { mesh, services }: Deployment): KubernetesObject {
  const { host, calls, callsExternal, database, usesBroker } = deployed;
  const callers = services.filter((service) => service.calls.some((callee) => callee.host === host));
  return policy(host, labelsOf(mesh.name, host), {
    ingress:
      callers.length === 0
        ? []
        : [
            {
              from: callers.map((caller) => pods(labelsOf(mesh.name, caller.host))),
              ports: [port(deployed.port)],
            },
          ],
    egress: [
      ...calls.map((callee) => ({
        to: [pods(labelsOf(mesh.name, callee.host))],
        ports: [port(callee.port)],
      })),
      ...(callsExternal ? [TO_EXTERNAL] : []),
      ...(database === undefined ? [] : [TO_POSTGRES]),
      ...(usesBroker ? [TO_BROKER] : []),
    ],
  });
}

/** Where the server is, in the cluster or beside it, mesh.yaml does not say: an overlay may add `to`. */
const TO_POSTGRES = { ports: [port(POSTGRES_PORT)] };
/** Where an external service is and on which port, only its URL says: an overlay may narrow this down. */
const TO_EXTERNAL = { ports: [{ protocol: "TCP" }] };
const TO_BROKER = { to: [pods(NATS_LABELS)], ports: [port(4222)] };

function jobPolicies(deployment: Deployment): readonly KubernetesObject[] {
  const { mesh, databases, broker } = deployment;
  const { migrate, provision } = jobNames(deployment);
  return [
    ...(databases.length === 0
      ? []
      : [policy("job-migrate", labelsOf(mesh.name, migrate), { egress: [TO_POSTGRES] })]),
    ...(broker === undefined
      ? []
      : [policy("job-provision", labelsOf(mesh.name, provision), { egress: [TO_BROKER] })]),
  ];
}

/** Holds where the pods of PostgreSQL are labelled; a server that is elsewhere has a firewall of its own. */
function databasePolicies(deployment: Deployment): readonly KubernetesObject[] {
  const { mesh, databases, services } = deployment;
  const { migrate } = jobNames(deployment);
  return [...new Set(databases.map(({ onServer }) => onServer))].map((name) => {
    const users = services.filter(({ database }) => database?.onServer === name).map(({ host }) => host);
    return policy(
      `database-${hostLabel(name)}`,
      { [DATABASE_LABEL]: name },
      {
        ingress: [
          {
            from: [...users, migrate].map((user) => pods(labelsOf(mesh.name, user))),
            ports: [port(POSTGRES_PORT)],
          },
        ],
      },
    );
  });
}

function brokerPolicy(deployment: Deployment): readonly KubernetesObject[] {
  const { mesh, broker, services } = deployment;
  if (broker === undefined) return [];
  const users = services.filter(({ usesBroker }) => usesBroker).map(({ host }) => host);
  const clients = [...users, jobNames(deployment).provision].map((user) => pods(labelsOf(mesh.name, user)));
  return [
    policy("broker", NATS_LABELS, {
      ingress: [
        { from: clients, ports: [port(4222)] },
        { from: [pods(NATS_LABELS)], ports: [port(6222)] },
      ],
    }),
  ];
}

/** For the component `keda`, whose operator asks the servers how far durables are behind. */
export const kedaPolicy: KubernetesObject = policy("broker-keda", NATS_LABELS, {
  ingress: [
    {
      from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "keda" } } }],
      ports: [port(8222)],
    },
  ],
});

/** For the component `nack`: its controller, as the Helm chart labels it, in whichever namespace it is. */
export const nackPolicy: KubernetesObject = policy("broker-nack", NATS_LABELS, {
  ingress: [{ from: [{ namespaceSelector: {}, ...pods({ app: "nack" }) }], ports: [port(4222)] }],
});

interface Rules {
  readonly ingress?: readonly object[];
  readonly egress?: readonly object[];
}

function policy(name: string, selected: Labels, { ingress, egress }: Rules): KubernetesObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name },
    spec: {
      podSelector: { matchLabels: selected },
      policyTypes: [
        ...(ingress === undefined ? [] : ["Ingress"]),
        ...(egress === undefined ? [] : ["Egress"]),
      ],
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    },
  };
}

function pods(matchLabels: Labels) {
  return { podSelector: { matchLabels } };
}

function port(number: number, protocol: "TCP" | "UDP" = "TCP") {
  return { protocol, port: number };
}
