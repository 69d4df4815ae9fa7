import { groupBy } from "../../collections/group-by.js";
import type { EventSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";

/** So many names that differ in a number alone are numbered things, and no versions or steps. */
const NUMBERED = 5;
/** A year is none. */
const LONG_NUMBER = /(?<!\d)(?!(?:19|20)\d\d(?!\d))\d{4,}/;
/** `praised-42`: behind a word, and no round amount (`top-10`), no age, days, weeks or hours (`unpaid-14`), and no answer of HTTP (`failed-404`). */
const SHORT_NUMBER = /[a-z][-_]0*([1-9]\d{1,2})$/;
const AMOUNTS: ReadonlySet<number> = new Set([12, 14, 16, 18, 21, 24, 28, 31, 36, 48, 52, 72, 99, 365]);
const HEXADECIMAL = /(?:^|[-_])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?:$|[-_])/;

/** Warns of an id that stands in the name of an entity or an action: each new one would be new subjects, types and hooks. */
export const adviseIdsInNames: Rule = (program, report) => {
  const told = new Set<string>();
  const advise = (event: EventSymbol, level: "entity" | "action") => {
    const name = event.subject.value[level];
    const family = familyOf(event, level);
    if (told.has(family)) return;
    told.add(family);
    report("id-in-subject", event.subject.span, { name, level, service: event.subject.value.service });
  };
  for (const level of ["entity", "action"] as const) {
    const families = groupBy(program.events, (event) => familyOf(event, level));
    for (const events of families.values()) {
      const names = new Set(events.map(({ subject }) => subject.value[level]));
      const marked = events.find(({ subject }) => isId(subject.value[level]));
      const [first] = events;
      if (marked !== undefined) advise(marked, level);
      else if (first !== undefined && names.size >= NUMBERED) advise(first, level);
    }
  }
};

/** `probe-1` and `probe-2` of one service, `read-1` and `read-2` of one entity. */
function familyOf({ subject }: EventSymbol, level: "entity" | "action"): string {
  const { service, entity, action } = subject.value;
  const numberless = (name: string) => name.replace(/\d+/g, "#");
  return level === "entity"
    ? JSON.stringify([service, numberless(entity)])
    : JSON.stringify([service, entity, numberless(action)]);
}

function isId(name: string): boolean {
  // Of none 0, which is round.
  const short = Number(SHORT_NUMBER.exec(name)?.[1] ?? 0);
  const isAmount = short % 5 === 0 || AMOUNTS.has(short) || (short >= 400 && short < 600);
  return LONG_NUMBER.test(name) || HEXADECIMAL.test(name) || !isAmount;
}
