import { randomInt } from "node:crypto";
import { secretFiles } from "../../deploy/deploy-files.js";
import type { DeployTarget } from "../../deploy/deploy-targets.js";
import type { Deployment } from "../../deploy/deployment.js";
import { completeSecretList, readSecretList } from "../../deploy/secret-list.js";
import { portOfPostgres, wantedSecrets } from "../../deploy/secret-values.js";
import type { OutputFolder } from "../../emit/file.js";

/** What a run would do to the list of an environment, and to the files that follow from it. */
export interface PlannedSecrets {
  /** From the folder. */
  readonly list: string;
  /** Whether there is one yet: CI has none. */
  readonly isPresent: boolean;
  readonly added: readonly string[];
  /** People have to fill these in. */
  readonly empty: readonly string[];
  /** `CONTAINER_CLUSTER`: new in the list, and switched off there. */
  readonly offered: readonly string[];
  readonly write: readonly { readonly path: string; readonly text: string }[];
  /** Names of the files that a process has had, and that are others now: `service-sfs`. */
  readonly changed: readonly string[];
  /** Where policies do not let PostgreSQL through. */
  readonly otherPort: string | undefined;
}

export interface SecretsSetting {
  readonly folder: OutputFolder;
  readonly target: DeployTarget;
  readonly environment: string;
}

export function planSecrets(
  deployment: Deployment,
  { folder, target, environment }: SecretsSetting,
): PlannedSecrets {
  const list = `secrets/${environment}.env`;
  const present = folder.read(list);
  const wanted = wantedSecrets(deployment, target);
  const { text, ...completed } = completeSecretList(present, wanted, {
    mesh: deployment.mesh.name,
    environment,
    make: makeSecret,
  });
  const secrets = readSecretList(text);
  const files = secretFiles(deployment, secrets, { target, environment });
  const differing = files.filter((file) => folder.read(file.path) !== file.text);
  const port = target === "kubernetes" ? portOfPostgres(deployment, secrets) : undefined;
  return {
    list,
    isPresent: present !== undefined,
    ...completed,
    write: text === present ? differing : [{ path: list, text }, ...differing],
    changed: differing
      .filter((file) => folder.read(file.path) !== undefined)
      .map(({ path }) => path.replace(/^.*\//, "").replace(/\.env$/, "")),
    otherPort: port === "5432" ? undefined : port,
  };
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Of letters alone, which mean themselves in a URL, in nats.conf, in SQL and to every reader of .env files: 228 bits. */
function makeSecret(): string {
  return Array.from({ length: 40 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}
