import { EVERY_EVENT_HOOK, eventNames } from "../../model/names.js";
import { repeats } from "../repeats.js";
import type { Rule } from "../rule.js";

/** An event's name is its type and its schema file, over the whole mesh and on any file system. */
export const checkEventNames: Rule = (program, report) => {
  const named = program.events.flatMap(({ name, subject }) =>
    name === undefined ? [] : [{ name, subject }],
  );
  for (const { name } of named)
    if (eventNames(name.value).hook === EVERY_EVENT_HOOK)
      report("reserved-name", name.span, {
        name: name.value,
        use: "the hook of every event is called onEvent",
      });
  for (const { value, first } of repeats(named, ({ name }) => name.value.toLowerCase())) {
    const { value: event, span } = value.name;
    const other = first.name.value;
    const clue = { first: first.name.span };
    const generated = `schemas/${event}.schema.json`;
    if (other === event) report("duplicate-event", span, { event, other: first.subject.text }, clue);
    else report("name-collision", span, { what: `"${event}"`, other: `"${other}"`, generated }, clue);
  }
};
