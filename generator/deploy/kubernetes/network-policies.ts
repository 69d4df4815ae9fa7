import { type DeployedService, type Deployment, hostLabel } from "../deployment.js";
import { jobNames } from "./jobs.js";
import {
  DATABASE_LABEL,
  EGRESS_LABEL,
  type KubernetesObject,
  type Labels,
  labelsOf,
  meshLabels,
  NATS_LABELS,
} from "./object.js";
import { operatorName } from "./operator.js";

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
  const { name, services } = deployment;
  return [
    policy("default-deny", meshLabels(name), { ingress: [], egress: [DNS] }),
    ...services.map((service) => servicePolicy(service, deployment)),
    ...jobPolicies(deployment),
    operatorPolicy(deployment),
    ...databasePolicies(deployment),
    ...brokerPolicy(deployment),
  ];
}

function servicePolicy(deployed: DeployedService, deployment: Deployment): KubernetesObject {
  const { name, services } = deployment;
  const { host, calls, callsExternal, database, usesBroker } = deployed;
  const callers = services.filter((service) => service.calls.some((callee) => callee.host === host));
  return policy(host, labelsOf(name, host), {
    ingress: [
      {
        from: [...callers.map((caller) => caller.host), operatorName(deployment)].map((caller) =>
          pods(labelsOf(name, caller)),
        ),
        ports: [port(deployed.port)],
      },
    ],
    egress: [
      ...(database === undefined ? [] : [TO_POSTGRES]),
      ...(usesBroker ? [TO_BROKER] : []),
      ...calls.map((callee) => ({
        to: [pods(labelsOf(name, callee.host))],
        ports: [port(callee.port)],
      })),
      ...(callsExternal ? [TO_EXTERNAL] : []),
    ],
  });
}

/** Where the server is, in the cluster or beside it, mesh.yaml does not say: an overlay may add `to`, to each policy of that label at once. It is the first rule of each. */
const TO_POSTGRES = { ports: [port(POSTGRES_PORT)] };
/** Where an external service is and on which port, only its URL says: an overlay may narrow this down. */
const TO_EXTERNAL = { ports: [{ protocol: "TCP" }] };
const TO_BROKER = { to: [pods(NATS_LABELS)], ports: [port(4222)] };

/** What mesh status and its like ask: every service, the broker, and each database. */
function operatorPolicy(deployment: Deployment): KubernetesObject {
  const { name, services, databases, broker } = deployment;
  return policy("operator", labelsOf(name, operatorName(deployment)), {
    egress: [
      ...(databases.length === 0 ? [] : [TO_POSTGRES]),
      ...(broker === undefined ? [] : [TO_BROKER]),
      ...services.map(({ host, port: own }) => ({ to: [pods(labelsOf(name, host))], ports: [port(own)] })),
    ],
  });
}

function jobPolicies(deployment: Deployment): readonly KubernetesObject[] {
  const { name, databases, broker } = deployment;
  const { migrate, provision } = jobNames(deployment);
  return [
    ...(databases.length === 0
      ? []
      : [policy("job-migrate", labelsOf(name, migrate), { egress: [TO_POSTGRES] })]),
    ...(broker === undefined
      ? []
      : [policy("job-provision", labelsOf(name, provision), { egress: [TO_BROKER] })]),
  ];
}

/** Holds where the pods of PostgreSQL are labelled; a server that is elsewhere has a firewall of its own. */
function databasePolicies(deployment: Deployment): readonly KubernetesObject[] {
  const { name, databases, services } = deployment;
  const { migrate, roles } = jobNames(deployment);
  const operators = [migrate, roles, operatorName(deployment)];
  return [...new Set(databases.map(({ onServer }) => onServer))].map((database) => {
    const users = services.filter((each) => each.database?.onServer === database).map(({ host }) => host);
    return policy(
      hostLabel(`database-${database}`),
      { [DATABASE_LABEL]: database },
      {
        ingress: [
          {
            from: [...users, ...operators].map((user) => pods(labelsOf(name, user))),
            ports: [port(POSTGRES_PORT)],
          },
        ],
      },
    );
  });
}

function brokerPolicy(deployment: Deployment): readonly KubernetesObject[] {
  const { name, broker, services } = deployment;
  if (broker === undefined) return [];
  const users = services.filter(({ usesBroker }) => usesBroker).map(({ host }) => host);
  const clients = [...users, jobNames(deployment).provision, operatorName(deployment)].map((user) =>
    pods(labelsOf(name, user)),
  );
  return [
    policy("broker", NATS_LABELS, {
      ingress: [
        { from: clients, ports: [port(4222)] },
        { from: [pods(NATS_LABELS)], ports: [port(6222)] },
      ],
    }),
  ];
}

/** For the component `keda`: its operator, in whichever namespace it is, asks the servers how far durables are behind. */
export const kedaPolicy: KubernetesObject = policy("broker-keda", NATS_LABELS, {
  ingress: [{ from: [anywhere({ app: "keda-operator" })], ports: [port(8222)] }],
});

/** For the component `monitoring`: Prometheus, as its operator labels it, in whichever namespace it is. */
export function monitoringPolicy({ name, services }: Deployment): KubernetesObject {
  const ports = [...new Set(services.map((service) => service.port))].map((each) => port(each));
  return policy("monitoring", meshLabels(name), {
    ingress: [{ from: [anywhere({ "app.kubernetes.io/name": "prometheus" })], ports }],
  });
}

/** For the component `roles`, whose job is the server's administrator. */
export function rolesPolicy(deployment: Deployment): KubernetesObject {
  return policy("job-roles", labelsOf(deployment.name, jobNames(deployment).roles), {
    egress: [TO_POSTGRES],
  });
}

/** For the component `nack`: its controller, as the Helm chart labels it, in whichever namespace it is. */
export const nackPolicy: KubernetesObject = policy("broker-nack", NATS_LABELS, {
  ingress: [{ from: [anywhere({ app: "nack" })], ports: [port(4222)] }],
});

interface Rules {
  readonly ingress?: readonly object[];
  readonly egress?: readonly object[];
}

function policy(name: string, selected: Labels, { ingress, egress }: Rules): KubernetesObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, ...(egress?.[0] === TO_POSTGRES ? { labels: { [EGRESS_LABEL]: "postgresql" } } : {}) },
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

function anywhere(matchLabels: Labels) {
  return { namespaceSelector: {}, ...pods(matchLabels) };
}

function pods(matchLabels: Labels) {
  return { podSelector: { matchLabels } };
}

function port(number: number, protocol: "TCP" | "UDP" = "TCP") {
  return { protocol, port: number };
}
