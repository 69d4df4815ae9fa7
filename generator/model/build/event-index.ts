import { groupBy } from "../../collections/group-by.js";
import type { Event } from "../mesh.js";

/** Events in canonical order, found by what refers to them. */
export interface EventIndex {
  ofService(service: string): readonly Event[];
  /** By `auth.user`. */
  ofEntity(entityName: string): readonly Event[];
}

export function indexEvents(events: readonly Event[]): EventIndex {
  const services = groupBy(events, (event) => event.service);
  const entities = groupBy(events, (event) => `${event.service}.${event.entity}`);
  return {
    ofService: (service) => services.get(service) ?? [],
    ofEntity: (entityName) => entities.get(entityName) ?? [],
  };
}
