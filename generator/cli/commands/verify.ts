import { print, printJson, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh } from "../running-mesh.js";
import { describeRemedies, describeVerified } from "../verify/describe-verified.js";
import { isEqual, verifyMesh } from "../verify/verify-mesh.js";

/**
 * Compares caches with their sources, and rows that cascade rules name with the entities that they refer to, on the live mesh.
 * What differs only because an event is under way does not count. A database or source that does not answer is named, and the rest compared.
 */
export async function verify(
  only: string | undefined,
  options: { readonly json?: boolean },
): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const verified = await withProgress("comparing caches with their sources", () => verifyMesh(running));
  if (options.json) printJson(verified);
  else {
    const { caches, notCompared } = verified;
    if (caches.length + notCompared.length === 0) print("no cache has a source to be compared with");
    describeVerified(running, verified);
    describeRemedies(running, verified);
  }
  return isEqual(verified) ? 0 : 1;
}
