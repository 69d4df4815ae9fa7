import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Grants } from "meshwright/runtime";
import type { Database } from "../model/mesh.js";
import { GENERATED } from "./project.js";

/** What the role of a database's service is to be granted, as the generator wrote it. */
export async function readGrants({ service, roles }: Database): Promise<Grants> {
  return { role: roles.service, sql: await readFile(resolve(GENERATED, service, "grants.sql"), "utf8") };
}
