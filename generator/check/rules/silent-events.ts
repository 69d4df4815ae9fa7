import { eventNames, valueName } from "../../model/names.js";
import { mentions } from "../hook-files.js";
import { hookText } from "../hook-text.js";
import type { HookRule } from "../rule.js";

/** Warns of an event that nothing publishes: no row implies it, and no hook of its service mentions it. */
export const adviseSilentEvents: HookRule = (program, report, files) => {
  for (const { name, service, node } of program.events) {
    if (name === undefined || service === undefined || service.external) continue;
    if (node?.get.emit !== undefined) continue;
    const { value } = eventNames(name.value);
    const hooks = hookText(service.name, files);
    if (hooks === undefined || mentions(hooks, value)) continue;
    report("silent-event", name.span, {
      event: name.value,
      service: service.name,
      call: `${valueName(service.name)}Publisher.${value}`,
    });
  }
};
