import type { Database, Service } from "../../model/mesh.js";
import { literal, quotedName } from "../../quote/sql.js";
import { serviceTitle } from "../wording.js";

/** roles.sql: the role that a service runs as. Migrations are another's: the owner of the database. */
export interface RolesView {
  readonly header: string;
  readonly title: string;
  /** As SQL writes it as a name, and as a string. */
  readonly role: string;
  readonly roleText: string;
  readonly database: string;
  readonly tables: readonly string[];
}

export function rolesView(service: Service, database: Database, header: string): RolesView {
  const role = `${service.name}_service`;
  return {
    header,
    title: serviceTitle(service.name),
    role: quotedName(role),
    roleText: literal(role),
    database: quotedName(database.name),
    tables: database.tables.map((table) => quotedName(table.name)),
  };
}
