import type { Rule } from "../rule.js";

/** The envelope of the smallest event is a quarter of it. */
const SMALLEST = 2 ** 10;
/** nats-server takes messages of up to a mebibyte, unless its operator says otherwise. */
const LARGEST = 2 ** 20;

/** A stream has room for a message: one that is larger than it never leaves the outbox. */
export const checkStreamSize: Rule = (program, report) => {
  for (const written of sizes(program)) {
    if (written.value < SMALLEST) report("stream-too-small", written.span, { size: written.text });
  }
};

export const adviseStreamSize: Rule = (program, report) => {
  for (const written of sizes(program)) {
    if (written.value < LARGEST) report("stream-below-largest-message", written.span, { size: written.text });
  }
};

function sizes({ node, services }: Parameters<Rule>[0]) {
  const blocks = [node.get.streams, ...[...services.values()].map((service) => service.node?.get.stream)];
  return blocks.flatMap((block) => block?.get.max_bytes ?? []);
}
