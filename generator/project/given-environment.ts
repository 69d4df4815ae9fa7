import { readCredentials } from "@meshwright/runtime";
import type { Mesh } from "../model/mesh.js";
import { passwordVariable } from "../model/names.js";
import { UsageError } from "./usage-error.js";

/**
 * The process's environment with the contents of the files that it names for what services and commands of the mesh read
 * (`AUTH_DB_URL_FILE`) in place of those names.
 */
export function environmentOf(mesh: Mesh): NodeJS.ProcessEnv {
  const urls = mesh.databases.flatMap(({ urlVariable, ownerUrlVariable }) => [urlVariable, ownerUrlVariable]);
  const databases = [...urls, "DATABASE_URL"].flatMap((url) => [url, passwordVariable(url)]);
  const names = mesh.services.flatMap(({ environment }) => environment.map(({ name }) => name));
  const { env, problems } = readCredentials([...names, ...databases], process.env);
  const [problem] = problems.values();
  if (problem !== undefined) throw new UsageError(problem);
  const files = new Set([...names, ...databases].map((name) => `${name}_FILE`));
  for (const name of names) files.delete(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !files.has(name)));
}
