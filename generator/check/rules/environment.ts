import { callsOf } from "../../model/build/build-call.js";
import { builtInVariables } from "../../model/build/build-environment.js";
import {
  databaseUrlVariable,
  ownerUrlVariable,
  passwordVariable,
  serviceUrlVariable,
} from "../../model/names.js";
import type { Rule } from "../rule.js";

/** The driver takes these for what a database's URL leaves open. */
const driverVariables = [
  "PGHOST",
  "PGPORT",
  "PGUSER",
  "PGPASSWORD",
  "PGPASSFILE",
  "PGDATABASE",
  "PGOPTIONS",
  "PGSSLMODE",
  "PGSSLROOTCERT",
  "PGSSLCERT",
  "PGSSLKEY",
  "PGSSLNEGOTIATION",
  "PGAPPNAME",
  "PGCONNECT_TIMEOUT",
];

/** A service's own variables do not take the names that the runtime reads. */
export const checkEnvironment: Rule = (program, report) => {
  const taken = new Set([...builtInVariables, ...driverVariables]);
  for (const name of program.databases.keys())
    for (const variable of [databaseUrlVariable(name), ownerUrlVariable(name)])
      taken.add(variable).add(passwordVariable(variable));
  for (const name of program.services.keys()) taken.add(serviceUrlVariable(name));
  for (const service of program.services.values())
    for (const { keyVariable } of callsOf(service, program)) taken.add(keyVariable);
  // A secret X may be in the file that X_FILE names.
  for (const name of [...taken]) taken.add(`${name}_FILE`);
  for (const { node } of program.services.values()) {
    for (const { name } of node?.get.environment?.entries ?? []) {
      if (taken.has(name.value))
        report("reserved-name", name.span, { name: name.value, use: "the runtime reads it itself" });
    }
  }
};
