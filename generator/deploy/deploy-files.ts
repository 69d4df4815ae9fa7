import { HEADER } from "../emit/file.js";
import { openRender, type Render, type Templates } from "../templates.js";
import { composeDocument, namesOf } from "./compose.js";
import type { DeployTarget } from "./deploy-targets.js";
import { type Deployment, isPostgresOurs } from "./deployment.js";
import { type DockerPackages, dockerfileView } from "./dockerfile.js";
import { kubernetesFiles } from "./kubernetes/kubernetes-files.js";
import { type DeployedFile, ours, yaml } from "./print-yaml.js";
import { composeEnv, kustomizeEnv } from "./secret-list.js";
import { type EnvFiles, envFilesOf, rolePasswordVariable, type Secrets } from "./secret-values.js";

export interface DeployOptions {
  readonly target: DeployTarget;
  /** `production` */
  readonly environment: string;
  /** From the project to the folder, `/` between its parts: `deploy`. */
  readonly folder: string;
  /** From the folder to the project: `..`. */
  readonly project: string;
  readonly packages: DockerPackages;
  /** A file of generated/ as it is: nats.conf. */
  readonly generated: (name: string) => string;
  readonly templates: Templates;
}

/** What a run writes, whatever its secrets are; the same for every environment but what is people's. */
export function deployFiles(deployment: Deployment, options: DeployOptions): readonly DeployedFile[] {
  const render = openRender(options.templates);
  const { target } = options;
  const common = commonFiles(deployment, options, render);
  switch (target) {
    case "compose":
      return [...common, ...composeFiles(deployment, options, render)];
    case "kubernetes":
      return [
        ...common,
        ...kubernetesFiles(deployment, { ...options, rolesScript: rolesScript(deployment, render) }),
      ];
    default:
      return target satisfies never;
  }
}

function commonFiles({ name }: Deployment, { folder, packages }: DeployOptions, render: Render) {
  const view = { header: HEADER, mesh: name, file: `${folder}/Dockerfile` };
  const folders = deployedFolders(folder);
  return [
    ours("Dockerfile", render("deploy/Dockerfile.hbs", { ...view, ...dockerfileView(packages) })),
    ours("Dockerfile.dockerignore", render("deploy/dockerignore.hbs", { ...view, folders })),
    ours(".gitignore", render("deploy/gitignore.hbs", view)),
  ];
}

/** What is deployed, with its secrets, is no part of what is built. Outside of the project nothing is. */
function deployedFolders(folder: string): readonly string[] {
  if (folder === ".." || folder.startsWith("../")) return [];
  return folder === "." ? ["secrets", "compose", "kubernetes"] : [folder];
}

function composeFiles(
  deployment: Deployment,
  { project, folder }: DeployOptions,
  render: Render,
): readonly DeployedFile[] {
  const places = { project: `../${project}`, dockerfile: `${folder}/Dockerfile` };
  const files = [ours("compose/compose.yaml", yaml(composeDocument(deployment, places)))];
  const { brokers } = namesOf(deployment);
  if (brokers.length > 0) {
    const clusters = brokers.length === 1 ? [] : [{ name: deployment.name, routes: brokers }];
    files.push(
      ours("compose/nats-server.conf", render("deploy/nats-server.conf.hbs", { header: HEADER, clusters })),
    );
  }
  if (isPostgresOurs(deployment)) files.push(ours("compose/roles.sh", rolesScript(deployment, render)));
  return files;
}

function rolesScript(deployment: Deployment, render: Render): string {
  const own = deployment.databases.filter(({ existing }) => !existing);
  const databases = [...new Set(own.map(({ onServer }) => onServer))];
  const roles = own
    .flatMap(({ database: { roles: pair } }) => [pair.owner, pair.service])
    .map((role) => ({ role, variable: rolePasswordVariable(role) }));
  return render("deploy/roles.sh.hbs", { header: HEADER, databases, roles });
}

/** Files that only their process may read, written anew whenever the list of secrets has changed. */
export function secretFiles(
  deployment: Deployment,
  secrets: Secrets,
  { target, environment }: Pick<DeployOptions, "target" | "environment">,
): readonly Pick<DeployedFile, "path" | "text">[] {
  const files = envFilesOf(deployment, secrets, target);
  switch (target) {
    case "compose":
      return printed(files, `compose/secrets/${environment}`, composeEnv);
    case "kubernetes":
      return printed(files, `kubernetes/overlays/${environment}/secrets`, kustomizeEnv);
    default:
      return target satisfies never;
  }
}

function printed(files: EnvFiles, folder: string, print: (values: Secrets) => string) {
  return Object.entries(files).map(([name, values]) => ({
    path: `${folder}/${name}.env`,
    text: print(values),
  }));
}

/** Folders whose files are the mesh's where they say so; what no longer comes out of one goes. */
export const ownFolders: Readonly<Record<DeployTarget, readonly string[]>> = {
  compose: ["compose"],
  kubernetes: [
    "kubernetes",
    "kubernetes/base",
    "kubernetes/components/nack",
    "kubernetes/components/keda",
    "kubernetes/components/monitoring",
    "kubernetes/components/roles",
  ],
};
