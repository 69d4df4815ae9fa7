import { lowerVersions as lower } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { withService } from "../loaded-service.js";
import { findRunningMesh } from "../running-mesh.js";

/** Says what was lowered, and which subscribers are to take the source's word afterwards. */
export async function lowerVersions(name: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const running = await findRunningMesh(name);
  for (const service of running.services) {
    const lowered = await withService(running, service, ({ pool }) => lower(pool));
    const subscribers = running.mesh.services.filter(({ consumers }) =>
      consumers.some(({ publisher }) => publisher === service.name),
    );
    if (options.json) printJson({ ...lowered, subscribers: subscribers.map((one) => one.name) });
    else if (lowered.entities === 0 && !lowered.minimumVersion) print(`${name}: every counter is plausible`);
    else {
      const minimumVersion = lowered.minimumVersion ? " and the minimum version" : "";
      print(`${name}: ${plural(lowered.entities, "counter")}${minimumVersion} lowered to ${lowered.to}`);
      for (const subscriber of subscribers)
        print(colour.yellow(`next: mesh resync ${subscriber.name} --trust-source`));
    }
  }
  return 0;
}
