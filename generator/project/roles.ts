import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Database } from "../model/mesh.js";
import { GENERATED } from "./paths.js";

/** The database's roles, as the generator wrote it down for an administrator. */
export async function readRoles({ service }: Database): Promise<string> {
  return await readFile(resolve(GENERATED, service, "roles.sql"), "utf8");
}
