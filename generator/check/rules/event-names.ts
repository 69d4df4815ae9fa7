import type { EventSymbol } from "../../language/symbols.js";
import { EVERY_EVENT_HOOK, eventNames } from "../../model/names.js";
import type { Rule } from "../rule.js";

/** An event's name is its type and its schema file, over the whole mesh and on any file system. */
export const checkEventNames: Rule = (program, report) => {
  const taken = new Map<string, EventSymbol>();
  for (const event of program.events) {
    const { name } = event;
    if (name === undefined) continue;
    if (eventNames(name.value).hook === EVERY_EVENT_HOOK)
      report("reserved-name", name.span, {
        name: name.value,
        use: "the hook of every event is called onEvent",
      });
    const folded = name.value.toLowerCase();
    const first = taken.get(folded);
    if (first?.name === undefined) taken.set(folded, event);
    else if (first.name.value === name.value) {
      report(
        "duplicate-event",
        name.span,
        { event: name.value, other: first.subject.text },
        { first: first.name.span },
      );
    } else {
      const generated = `schemas/${name.value}.schema.json`;
      report(
        "name-collision",
        name.span,
        { what: `"${name.value}"`, other: `"${first.name.value}"`, generated },
        { first: first.name.span },
      );
    }
  }
};
