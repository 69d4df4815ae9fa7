import type { DeployedService, Deployment } from "../deployment.js";
import { serviceName } from "./workload.js";

/*
 * Objects beside the base that an overlay has at hand, until its kustomization names them. Their values are examples.
 */

/** The service is reached by those who have a key of it, as always; the key of an operator should not come from outside. */
export function ingressText({ name, services }: Deployment): string {
  const { host, port } = services[0] ?? { host: "service", port: 80 };
  return `# Yours: from outside to ${host}, once kustomization.yaml names this file. Keys are asked for as within the mesh.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
spec:
  ingressClassName: nginx
  tls:
    - hosts: [${host}.example.com]
      secretName: ${host}-tls
  rules:
    - host: ${host}.example.com
      http:
        paths:
          - path: /api
            pathType: Prefix
            backend: { service: { name: ${serviceName(host)}, port: { name: http } } }
---
# The controller's pods, wherever they are, reach the service, which nobody but its callers does otherwise.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ingress
spec:
  podSelector:
    matchLabels: { app.kubernetes.io/name: ${host}, app.kubernetes.io/part-of: ${name} }
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector: {}
          podSelector: { matchLabels: { app.kubernetes.io/name: ingress-nginx } }
      ports: [{ protocol: TCP, port: ${port} }]
`;
}

export function hooksText({ service, host, hookVariables }: DeployedService, mesh: string): string {
  const own = service.environment.filter(({ builtIn }) => !builtIn).map(({ name }) => name);
  const variables = [...own, ...hookVariables];
  const named =
    variables.length === 0
      ? "A variable that they read is a line of the list of secrets."
      : `What they read of the environment are lines of the list of secrets: ${variables.join(", ")}.`;
  return `# Yours: what hooks of ${service.name} reach and may do beyond the mesh, once kustomization.yaml names this file.
# ${named}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ${host}-hooks
spec:
  podSelector:
    matchLabels: { app.kubernetes.io/name: ${host}, app.kubernetes.io/part-of: ${mesh} }
  policyTypes: [Egress]
  egress:
    # The API server: \`kubectl get endpointslices --namespace default\` has its addresses and port.
    - to: [{ ipBlock: { cidr: 10.0.0.1/32 } }]
      ports: [{ protocol: TCP, port: 6443 }]
    # A service outside of the cluster, over HTTPS.
    - to: [{ ipBlock: { cidr: 203.0.113.0/24 } }]
      ports: [{ protocol: TCP, port: 443 }]
---
# What the account of the service may do in the cluster, with the token that a patch mounts.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: ${mesh}-${host}-hooks
rules:
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ${mesh}-${host}-hooks
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${mesh}-${host}-hooks }
subjects:
  - kind: ServiceAccount
    name: ${host}
    # kustomize puts the namespace of the overlay in its place.
    namespace: ${mesh}
`;
}
