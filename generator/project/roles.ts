import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Grants } from "@meshwright/runtime";
import type { Database } from "../model/mesh.js";
import { GENERATED } from "./paths.js";

/** The database's roles, as the generator wrote it down for an administrator. */
export async function readRoles({ service }: Database): Promise<string> {
  return await readFile(resolve(GENERATED, service, "roles.sql"), "utf8");
}

/** What the role of the database's service is to be granted behind its migrations. */
export async function readGrants({ service, roles }: Database): Promise<Grants> {
  return { role: roles.service, sql: await readFile(resolve(GENERATED, service, "grants.sql"), "utf8") };
}
