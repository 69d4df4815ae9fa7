import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { StreamDefinition } from "../../runtime/definition/stream-definition.js";
import type { DefinitionChoices } from "./user-consumer.js";

/** Instructions for a process that kills itself. With a stream it runs a relay, else a consumer. */
export interface Doom {
  readonly url: string;
  readonly natsUrl: string;
  readonly step: string;
  readonly stream?: StreamDefinition;
  readonly definition?: DefinitionChoices;
}

const SCRIPT = fileURLToPath(new URL("./processes/killed.ts", import.meta.url));
const PATIENCE_MS = 20_000;

/** Runs the process until it has killed itself; rejects when it does not. */
export async function runToDeath(doom: Doom): Promise<void> {
  const child = spawnDoomed(doom);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [code, how] = (await once(child, "exit", { signal }).catch((cause) => {
    child.kill("SIGKILL");
    throw new Error(`it was to die ${doom.step}, and lives`, { cause });
  })) as [number | null, NodeJS.Signals | null];
  if (how !== "SIGKILL") throw new Error(`it was to die ${doom.step}, and ended with code ${code}`);
}

export function spawnDoomed(doom: Doom): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", SCRIPT, JSON.stringify(doom)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}
