import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh, natsLogin } from "../running-mesh.js";

export interface ProvisionOptions {
  readonly replicas?: number;
  readonly json?: boolean;
}

/** As the documents say for production: an acknowledged message survives the loss of a server. */
const REPLICAS = 3;

/**
 * What services under least privilege may not do: makes the streams and durables of the mesh. Run before
 * the services, and after every change of mesh.yaml. A stream whose external owner has not made it is a finding.
 */
export async function provision(options: ProvisionOptions): Promise<ExitCode> {
  const running = await findRunningMesh();
  const { provision: provisionMesh } = await import("../../dev/provisioning.js");
  const notices: string[] = [];
  const missing = await withProgress("making streams and durables", () =>
    provisionMesh(running.mesh, {
      login: natsLogin(running),
      replicas: options.replicas ?? REPLICAS,
      standIn: false,
      onNotice: (service, text) => notices.push(`${service}: ${text}`),
    }),
  );
  const letters = running.mesh.services.flatMap(({ deadLetters }) => deadLetters?.stream ?? []);
  const planned = [...running.mesh.streams.map(({ name }) => name), ...letters];
  const streams = planned.filter((name) => !missing.includes(name));
  const durables = running.mesh.services
    .flatMap(({ consumers }) => consumers)
    .filter(({ stream }) => streams.includes(stream))
    .map(({ durable }) => durable);
  if (options.json) printJson({ streams, durables, missing, notices });
  else {
    for (const notice of notices) tell(colour.yellow(notice));
    print(`streams   ${streams.join(", ") || "none"}`);
    print(`durables  ${durables.join(", ") || "none"}`);
    for (const name of missing) {
      const stream = running.mesh.streams.find((each) => each.name === name);
      const owners = stream?.external === true && !stream.described;
      const why = owners ? "its owner is external and has to make it" : "this user may not make it";
      print(colour.yellow(`missing   ${name}: ${why}`));
    }
  }
  return missing.length === 0 ? 0 : 1;
}
