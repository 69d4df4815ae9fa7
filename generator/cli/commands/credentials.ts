import { resolve } from "node:path";
import { brokerClaims } from "../../emit/documents/broker-claims.js";
import { openLookup } from "../../emit/lookup.js";
import { issueCredentials } from "../../project/issue-credentials.js";
import { openKeyFolder } from "../../project/key-folder.js";
import { MESH_FILE } from "../../project/paths.js";
import { UsageError } from "../../project/usage-error.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

export interface CredentialsOptions {
  readonly out: string;
  readonly rotate?: string;
  readonly json?: boolean;
}

/** Signs the accounts of mesh.yaml and a .creds file for each service. Keys are made once, and stay in the folder. */
export async function credentials({ out, rotate, json }: CredentialsOptions): Promise<ExitCode> {
  const { mesh, diagnostics } = await compileForErrors();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, json ?? false);
    return 1;
  }
  const claims = brokerClaims(openLookup(mesh));
  const users = claims.accounts.map(({ user }) => user.name);
  if (rotate !== undefined && !users.includes(rotate))
    throw new UsageError(`there is no user "${rotate}"`, `${MESH_FILE} has ${users.join(", ")}`);
  const issued = await issueCredentials({ claims, folder: openKeyFolder(resolve(out)), rotate });
  if (json) {
    printJson({ folder: out, ...issued });
    return 0;
  }
  print(`operator  ${issued.operator}`);
  print(`server    ${out}/${issued.configuration}`);
  const width = Math.max(...Object.keys(issued.creds).map((name) => name.length));
  for (const [name, file] of Object.entries(issued.creds))
    print(
      `${name === Object.keys(issued.creds)[0] ? "creds   " : "        "}  ${name.padEnd(width)}  ${out}/${file}`,
    );
  if (rotate !== undefined) {
    const file = `${out}/${issued.creds[rotate]}`;
    print(colour.green(`rotated   ${rotate}: the key of its former file is revoked`));
    print(
      `  next: reload the servers with ${out}/${issued.configuration}, which refuse the former key from then on, and give ${rotate} ${file}`,
    );
  }
  print(
    colour.dim(`${out}/keys signs all of this: keep it where secrets are kept, and out of the repository`),
  );
  return 0;
}
