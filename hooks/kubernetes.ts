import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { CoreV1Api, KubeConfig, ObservableMiddleware } from "@kubernetes/client-node";

type Environment = Readonly<Record<string, string | undefined>>;

/** The one thing that Compute asks of a cluster. */
export interface Cluster {
  readonly server: string;
  /** Resolves once the namespace is gone or on its way: deletion goes on in the cluster by itself. Rejects otherwise. */
  deleteNamespace(name: string, signal: AbortSignal): Promise<void>;
}

/** `kubeconfig`: the files in KUBECONFIG, else ~/.kube/config. `in-cluster`: the pod's service account. */
export type ClusterSource = "kubeconfig" | "in-cluster";

const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Where this process finds a cluster without being told; undefined when nowhere. */
export async function findClusterSource(env: Environment): Promise<ClusterSource | undefined> {
  if ((await existing(kubeconfigFiles(env))).length > 0) return "kubeconfig";
  return (await existing([TOKEN])).length > 0 ? "in-cluster" : undefined;
}

/** Throws, naming what is missing, when the configuration leads to no cluster. The cluster itself is not asked. */
export async function openCluster(source: ClusterSource, env: Environment): Promise<Cluster> {
  // The client takes a second and 100 MB to load: only where there is a cluster.
  const client = await import("@kubernetes/client-node");
  const config = new client.KubeConfig();
  if (source === "in-cluster") await loadServiceAccount(config, env);
  else await loadKubeconfig(config, env, () => new client.KubeConfig());
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error("the kubeconfig has no current context that leads to a cluster");
  const api = config.makeApiClient(client.CoreV1Api);
  const under = (signal: AbortSignal): CallOptions => {
    const middleware: ObservableMiddleware = {
      pre(context) {
        context.setSignal(signal);
        return new client.Observable(Promise.resolve(context));
      },
      post: (context) => new client.Observable(Promise.resolve(context)),
    };
    return { middleware: [middleware], middlewareMergeStrategy: "append" };
  };
  const statusOf = (error: unknown) => (error instanceof client.ApiException ? error.code : undefined);
  return {
    server,
    deleteNamespace: async (name, signal) => {
      signal.throwIfAborted();
      try {
        await api.deleteNamespace({ name }, under(signal));
      } catch (error) {
        const status = statusOf(error);
        if (status === 404) return;
        if (status === 409 && (await isTerminating({ api, name, options: under(signal), statusOf }))) return;
        throw status === undefined ? error : new Error(`the cluster answered ${status}`, { cause: error });
      }
    },
  };
}

type CallOptions = NonNullable<Parameters<CoreV1Api["readNamespace"]>[1]>;

interface Question {
  readonly api: CoreV1Api;
  readonly name: string;
  readonly options: CallOptions;
  readonly statusOf: (error: unknown) => number | undefined;
}

/** A conflict is what a namespace says that is being deleted already; any other conflict is worth another try. */
async function isTerminating({ api, name, options, statusOf }: Question): Promise<boolean> {
  try {
    const namespace = await api.readNamespace({ name }, options);
    return namespace.metadata?.deletionTimestamp !== undefined || namespace.status?.phase === "Terminating";
  } catch (error) {
    if (statusOf(error) === 404) return true;
    throw error;
  }
}

async function loadServiceAccount(config: KubeConfig, env: Environment): Promise<void> {
  if (env.KUBERNETES_SERVICE_HOST === undefined) {
    throw new Error("this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set");
  }
  if ((await existing([TOKEN])).length === 0) throw new Error(`the pod has no service account: no ${TOKEN}`);
  config.loadFromCluster();
}

async function loadKubeconfig(config: KubeConfig, env: Environment, create: () => KubeConfig): Promise<void> {
  const named = kubeconfigFiles(env);
  const [first, ...others] = await existing(named);
  if (first === undefined) throw new Error(`there is no kubeconfig: no ${named.join(", no ")}`);
  config.loadFromFile(first);
  for (const file of others) {
    const more = create();
    more.loadFromFile(file);
    config.mergeConfig(more);
  }
}

function kubeconfigFiles(env: Environment): readonly string[] {
  const named = (env.KUBECONFIG ?? "").split(delimiter).filter((file) => file !== "");
  return named.length > 0 ? named : [join(env.HOME ?? homedir(), ".kube", "config")];
}

async function existing(files: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => [file],
        () => [],
      ),
    ),
  );
  return found.flat();
}
