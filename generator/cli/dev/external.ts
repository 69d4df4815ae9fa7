import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What a service that is written by hand needs to take part in this run, to be sourced by a shell. */
export function externalFile(folder: string, service: string): string {
  return join(folder, `${service}.env`);
}

/** Holds a password, made up for this run: readable by its owner alone. Resolves to the way to remove it. */
export async function writeExternal(
  folder: string,
  service: string,
  variables: NodeJS.ProcessEnv,
): Promise<() => Promise<void>> {
  const file = externalFile(folder, service);
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  const note = `# ${service} is external. As this user it must take _INBOX_${service} as the prefix of its inboxes.\n`;
  await rm(file, { force: true });
  await writeFile(file, note + lines.join(""), { mode: 0o600 });
  return () => rm(file, { force: true });
}
