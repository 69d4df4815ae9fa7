import { entityOf, eventPart, type Flow, fieldPart, payloadOf, subjectOf } from "./flow.js";
import { keyOf, nameOf, type Part } from "./part.js";

/** Everything that one can ask about, by each name that it goes by. Where a name means several things, the one that is asked for more often comes first. */
export type PartNames = ReadonlyMap<string, readonly Part[]>;

/**
 * `auth`; `auth_db`; `auth.user`, `auth.user.*`; `auth.user.updated`, `auth.user.{id}.updated`, `UserUpdated`; `auth.user.updated.display_name`,
 * `UserUpdated.display_name`, `auth.user.display_name`; `auth_db.users`, `auth.users`, `users`; and the same with a column; `/api/users`.
 */
export function namesOfParts(flow: Flow): PartNames {
  const names = new Map<string, Part[]>();
  const add = (name: string, part: Part) => {
    const known = names.get(name);
    if (known === undefined) names.set(name, [part]);
    else if (!known.some((other) => keyOf(other) === keyOf(part))) known.push(part);
  };
  for (const { name } of flow.mesh.services) add(name, { kind: "service", service: name });
  for (const { name: service, http } of flow.mesh.services)
    for (const { path } of http?.resources ?? [])
      for (const name of [path, `${service} ${path}`]) add(name, { kind: "resource", service, path });
  for (const { name } of flow.mesh.databases) add(name, { kind: "database", database: name });
  addEvents(flow, add);
  addTables(flow, add);
  return names;
}

/** What a name within something else may mean: `auth_db.users.display_name` of `display_name`. Each part by its own name. */
export function namesEndingIn(names: PartNames, word: string): readonly string[] {
  const ending = `.${word}`;
  return [...names].flatMap(([name, [part]]) =>
    part !== undefined && name.endsWith(ending) && name === nameOf(part) ? [name] : [],
  );
}

type Add = (name: string, part: Part) => void;

function addEvents({ mesh }: Flow, add: Add): void {
  for (const event of mesh.events) {
    for (const name of [subjectOf(event), event.subject, event.filter, event.name])
      add(name, eventPart(event));
    for (const { path } of payloadOf(event))
      for (const name of [subjectOf(event), event.name]) add(`${name}.${path}`, fieldPart(event, path));
  }
  // After all events: a field may be called as an action is.
  for (const event of mesh.events) {
    const entity = entityOf(event);
    for (const name of [entity, `${entity}.*`]) add(name, { kind: "entity", entity });
    for (const { path: field } of payloadOf(event))
      add(`${entity}.${field}`, { kind: "entity field", entity, field });
  }
}

function addTables(flow: Flow, add: Add): void {
  for (const { name: database, tables, views } of flow.mesh.databases) {
    const owners = flow.ownersOf(database).map(({ name }) => name);
    const called = (name: string) => [database, ...owners].map((of) => `${of}.${name}`).concat(name);
    for (const { name: table, columns } of tables) {
      for (const name of called(table)) {
        add(name, { kind: "table", database, table });
        for (const { name: column } of columns)
          add(`${name}.${column}`, { kind: "column", database, table, column });
      }
    }
    for (const { name: view } of views)
      for (const name of called(view)) add(name, { kind: "view", database, view });
  }
}
