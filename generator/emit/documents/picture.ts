import type { Cascade, Service } from "../../model/mesh.js";
import { visible } from "../../quote/visible.js";
import type { Lookup, Subscription } from "../lookup.js";
import { serviceTitle } from "../wording.js";

/** The mesh as a Mermaid flowchart: a box for each service, an arrow for each durable consumer. Every value is finished text. */
export interface PictureView {
  readonly boxes: readonly { readonly id: string; readonly lines: string; readonly shape: BoxShape }[];
  readonly arrows: readonly { readonly from: string; readonly to: string; readonly lines: string }[];
}

/** Brackets of Mermaid: a stadium is a service that is written by hand elsewhere. */
interface BoxShape {
  readonly open: string;
  readonly close: string;
}

const GENERATED: BoxShape = { open: "[", close: "]" };
const EXTERNAL: BoxShape = { open: "([", close: "])" };

export function pictureView(lookup: Lookup): PictureView {
  const ids = new Map(lookup.mesh.services.map(({ name }, at) => [name, `service${at + 1}`]));
  const idOf = (service: string) => ids.get(service) ?? "";
  return {
    boxes: lookup.mesh.services.map((service) => ({
      id: idOf(service.name),
      lines: inLines(boxLines(service, lookup)),
      shape: service.external ? EXTERNAL : GENERATED,
    })),
    arrows: lookup.subscriptions.map((subscription) => ({
      from: idOf(subscription.consumer.publisher),
      to: idOf(subscription.service.name),
      lines: inLines(arrowLines(subscription, lookup)),
    })),
  };
}

function boxLines(service: Service, lookup: Lookup): readonly string[] {
  const owned = lookup.tables(service).filter(({ cache }) => cache === undefined);
  return [serviceTitle(service.name), owned.map(({ name }) => name).join(", ")];
}

function arrowLines({ consumer }: Subscription, lookup: Lookup): readonly string[] {
  const cache = consumer.cache === undefined ? "" : `kept in ${consumer.cache}`;
  const cascades = consumer.cascades.map(
    (cascade) => `${lookup.event(cascade.event).action}: ${outcome(cascade)}`,
  );
  const name = consumer.name === undefined ? "" : `for ${consumer.name}`;
  return [consumer.pattern, name, cache, ...cascades];
}

function outcome({ action, table, column }: Cascade): string {
  switch (action) {
    case "delete":
      return `delete ${table}`;
    case "set_null":
      return `set ${table}.${column} to NULL`;
    default:
      return action satisfies never;
  }
}

/** In a quoted text of Mermaid `#34;` stands for a character by its number. */
function inLines(lines: readonly string[]): string {
  return lines
    .filter((line) => line !== "")
    .map((line) => visible(line).replaceAll(/[^\w ,.:*-]/g, (character) => `#${character.codePointAt(0)};`))
    .join("<br>");
}
