import type { IntegerNode } from "../../language/node.js";
import type { Rule } from "../rule.js";

/** `mesh dev` runs all services on one machine. */
export const checkPorts: Rule = (program, report) => {
  const taken = new Map<number, { readonly service: string; readonly port: IntegerNode }>();
  for (const { name, node } of program.services.values()) {
    const port = node?.get.http?.get.port;
    if (port === undefined) continue;
    const first = taken.get(port.value);
    if (first === undefined) taken.set(port.value, { service: name, port });
    else
      report(
        "duplicate-port",
        port.span,
        { port: port.value, first: first.service, second: name },
        { first: first.port.span },
      );
  }
};
