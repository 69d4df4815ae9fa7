import type { Rule } from "../rule.js";

/** A setting that would have no effect is refused: whoever wrote it counts on it. */
export const checkEffects: Rule = (program, report) => {
  for (const { node, external, publishes, subscribes } of program.services.values()) {
    if (node === undefined || external) continue;
    const { delivery, stream } = node.keySpans;
    if (delivery !== undefined && subscribes.length === 0)
      report("setting-without-effect", delivery, {
        key: "delivery",
        reason: "this service subscribes to nothing",
      });
    if (stream !== undefined && publishes.length === 0)
      report("setting-without-effect", stream, { key: "stream", reason: "this service publishes nothing" });
    for (const { node: variable } of node.get.environment?.entries ?? []) {
      if (variable?.kind !== "mapping" || variable.get.required?.value !== true) continue;
      const span = variable.keySpans.required;
      if (span !== undefined && variable.get.default !== undefined)
        report("setting-without-effect", span, { key: "required", reason: "the variable has a default" });
    }
  }
};

/** What no subject uses may be a draft, or a subject that was forgotten. */
export const adviseEffects: Rule = (program, report) => {
  for (const { name, publishes } of program.services.values()) {
    for (const { text, span, value } of publishes) {
      const entities = program.entitiesOf(value.service);
      const isUsed = entities.some(({ entity }) => value.entity === undefined || entity === value.entity);
      if (!isUsed) report("unused-pattern", span, { service: name, pattern: text });
    }
  }
};
