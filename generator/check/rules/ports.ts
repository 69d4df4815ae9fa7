import { repeats } from "../repeats.js";
import type { Rule } from "../rule.js";

/** `mesh dev` runs all services on one machine. */
export const checkPorts: Rule = (program, report) => {
  const served = [...program.services.values()].flatMap(({ name, node }) => {
    const port = node?.get.http?.get.port;
    return port === undefined ? [] : [{ name, port }];
  });
  for (const { value, first } of repeats(served, ({ port }) => port.value)) {
    const { name: second, port } = value;
    const parameters = { port: port.value, first: first.name, second };
    report("duplicate-port", port.span, parameters, { first: first.port.span });
  }
};
