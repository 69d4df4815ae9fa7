import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { GENERATED } from "./paths.js";

/** The roles of all databases, as the generator wrote them down for an administrator. */
export async function readRoles(): Promise<string> {
  return await readFile(resolve(GENERATED, "roles.sql"), "utf8");
}
