import type { JsonSchema } from "../model/mesh.js";
import { isSchema } from "../model/schema-references.js";

/** What an object, or the objects of a list, may hold: `.street`, `[].price`. */
export interface Member {
  readonly name: string;
  readonly required: boolean;
}

export interface MemberComparison {
  readonly lost: readonly Member[];
  readonly gained: readonly Member[];
  /** Both without what only one has. */
  readonly old: JsonSchema;
  readonly now: JsonSchema;
}

/** Members that come and go, at any depth, apart from what the schemas say of the others. */
export function compareMembers(old: JsonSchema, now: JsonSchema): MemberComparison {
  const lists = within(old, now, "items");
  const objects = compareObjects(old, now);
  if (lists === undefined) return objects;
  return {
    lost: [...objects.lost, ...lists.lost.map(inList)],
    gained: [...objects.gained, ...lists.gained.map(inList)],
    old: { ...objects.old, items: lists.old },
    now: { ...objects.now, items: lists.now },
  };
}

function within(old: JsonSchema, now: JsonSchema, keyword: string): MemberComparison | undefined {
  const [a, b] = [old[keyword], now[keyword]];
  return isSchema(a) && isSchema(b) ? compareMembers(a, b) : undefined;
}

function inList({ name, ...member }: Member): Member {
  return { ...member, name: `[]${name}` };
}

function compareObjects(old: JsonSchema, now: JsonSchema): MemberComparison {
  const [a, b] = [old.properties, now.properties];
  if (!isSchema(a) || !isSchema(b)) return { lost: [], gained: [], old, now };
  const common = Object.keys(a).filter((name) => Object.hasOwn(b, name));
  const inner = common.map((name) => {
    const comparison = within(a, b, name) ?? {
      lost: [],
      gained: [],
      old: a[name] ?? null,
      now: b[name] ?? null,
    };
    return { name, ...comparison };
  });
  const below = (members: readonly Member[], name: string) =>
    members.map((member) => ({ ...member, name: `.${name}${member.name}` }));
  const alone = (schema: JsonSchema, names: readonly string[]) =>
    names.map((name): Member => ({ name: `.${name}`, required: requiredOf(schema).includes(name) }));
  const only = (schema: JsonSchema, side: "old" | "now"): JsonSchema => ({
    ...schema,
    properties: Object.fromEntries(inner.map((member) => [member.name, member[side]])),
    required: requiredOf(schema).filter((name) => common.includes(name)),
  });
  const names = (one: JsonSchema, other: JsonSchema) =>
    Object.keys(one).filter((name) => !Object.hasOwn(other, name));
  return {
    lost: [...alone(old, names(a, b)), ...inner.flatMap(({ name, lost }) => below(lost, name))],
    gained: [...alone(now, names(b, a)), ...inner.flatMap(({ name, gained }) => below(gained, name))],
    old: only(old, "old"),
    now: only(now, "now"),
  };
}

function requiredOf({ required }: JsonSchema): readonly string[] {
  return Array.isArray(required) ? required.filter((name) => typeof name === "string") : [];
}
