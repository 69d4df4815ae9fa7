import { readdirSync } from "node:fs";
import { join } from "node:path";
import parseDot from "dotparser";
import { SaxesParser } from "saxes";
import { describe, expect, test } from "vitest";
import { openFlow } from "../../../generator/flow/flow.js";
import { focusNames, reachFrom } from "../../../generator/graph/focus.js";
import { drawPicture, type Picture, reachAll } from "../../../generator/graph/picture.js";
import { printGraph } from "../../../generator/graph/print-graph.js";
import { layCard } from "../../../generator/graph/svg/card.js";
import { type Point, placeCards } from "../../../generator/graph/svg/place-cards.js";
import { schemes } from "../../../generator/graph/svg/svg-style.js";
import { textWidth } from "../../../generator/graph/svg/text-width.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { visible } from "../../../generator/quote/visible.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { meshOfThirty } from "../../support/mesh-of-thirty.js";
import { HOSTILE } from "../../support/mesh-of-words.js";
import { strangeLines } from "../../support/readme-picture.js";

const meshes: readonly (readonly [string, Mesh])[] = [
  ["the reference mesh", compile(readMesh())],
  ...readdirSync(join(ROOT, "examples")).map(
    (name) => [`examples/${name}`, compile(readMesh(`examples/${name}/mesh.yaml`))] as const,
  ),
  ["thirty services", compile(meshOfThirty())],
];
const reference = compile(readMesh());
const thirty = compile(meshOfThirty());
const pictureOf = (mesh: Mesh) => drawPicture(mesh, reachAll(mesh));
const titled = (picture: Picture, id: string) => picture.boxes.find((box) => box.id === id)?.title;
const arrowsOf = (picture: Picture) =>
  picture.arrows.map(({ from, to, kind }) => `${titled(picture, from)} ${kind} ${titled(picture, to)}`);
const boxesFrom = (mesh: Mesh, focus: string) => {
  const reach = reachFrom(openFlow(mesh), focus);
  return reach && drawPicture(mesh, reach).boxes.map(({ title }) => title);
};

test("two services have one arrow between them, whatever passes; it is drawn as the strongest of it", () => {
  expect(arrowsOf(pictureOf(reference))).toEqual([
    "Auth cascade Compute",
    "Compute cascade Gateway",
    "Auth cascade SFS",
  ]);
  const shop = pictureOf(compile(readMesh("examples/shop/mesh.yaml")));
  expect(arrowsOf(shop)).toEqual(["Store hooks Bargains", "Store copy Warehouse"]);
  expect(shop.arrows.map(({ patterns }) => patterns)).toEqual([
    ["store.product.repriced"],
    ["store.order.paid", "store.product.*"],
  ]);
});

test("a database that lies within another one says so", () => {
  const { boxes } = pictureOf(compile(readMesh("test/scenarios/emit/shared-database/mesh.yaml")));
  expect(boxes.map(({ kind }) => kind)).toEqual(["billing_db in shop_db", "shop_db"]);
});

test("of thirty services the boxes are brief, and whom most of them hear is said in words", () => {
  const picture = pictureOf(thirty);
  expect(picture.brief).toBe(true);
  const wide = picture.boxes.filter(({ heardWidelyBy }) => heardWidelyBy !== undefined);
  expect(wide.map(({ title }) => title)).toEqual(["Customers", "Products"]);
  expect(picture.arrows.length).toBeLessThan(2 * picture.boxes.length);
  const drawn = picture.arrows.length + picture.boxes.reduce((sum, { hearsToo }) => sum + hearsToo.length, 0);
  const pairs = thirty.services.flatMap(({ name, consumers }) =>
    consumers.map(({ publisher }) => `${publisher} ${name}`),
  );
  expect(drawn).toBe(new Set(pairs).size);
});

describe("a focus", () => {
  test("on an event follows its cascades, and the events that they emit, from service to service", () => {
    expect(boxesFrom(reference, "auth.user.deleted")).toEqual(["Auth", "Compute", "Gateway", "SFS"]);
    expect(boxesFrom(reference, "UserDeleted")).toEqual(boxesFrom(reference, "auth.user.deleted"));
    expect(boxesFrom(reference, "auth.user.created")).toEqual(["Auth", "Compute", "SFS"]);
    expect(boxesFrom(reference, "sfs.file.deleted")).toEqual(["SFS"]);
  });

  test("follows no event that the cleared column is no part of", () => {
    const reach = reachFrom(openFlow(reference), "auth.user.deleted");
    expect([...(reach?.events ?? [])].sort()).toEqual([
      "ContainerDeleted",
      "IngressDeleted",
      "NamespaceUpdated",
      "RouteUnregistered",
      "SshKeyDeleted",
      "UserDeleted",
    ]);
  });

  test("on a service also has what it hears itself", () => {
    expect(boxesFrom(reference, "gateway")).toEqual(["Compute", "Gateway"]);
    expect(boxesFrom(reference, "compute")).toEqual(["Auth", "Compute", "Gateway"]);
  });

  test("on what foreign keys take along goes on from there", () => {
    const mesh = compile(`
mesh: chain
services:
  a: { database: a_db, publishes: [a.*] }
  b: { database: b_db, publishes: [b.*], subscribes: [a.one.*] }
  c: { database: c_db, subscribes: [b.part.deleted] }
databases:
  a_db: { tables: { ones: { columns: { id: { type: nanoid, key: true } } } } }
  b_db:
    tables:
      wholes: { columns: { id: { type: nanoid, key: true }, one_id: text } }
      parts: { columns: { id: { type: nanoid, key: true }, whole_id: { type: text, references: wholes, on_delete: cascade } } }
  c_db: { tables: { notes: { columns: { id: { type: nanoid, key: true } } } } }
subjects:
  a.one.{id}.deleted: { event: OneDeleted, emit: { table: ones, on: delete }, payload: { id: nanoid } }
  b.part.{id}.deleted: { event: PartDeleted, emit: { table: parts, on: delete }, payload: { id: nanoid } }
cascades: [{ on: a.one.deleted, service: b, delete: wholes.one_id }]
`);
    expect(boxesFrom(mesh, "a")).toEqual(["A", "B", "C"]);
  });

  test("on what does not exist is none, and its likely name is known", () => {
    expect(reachFrom(openFlow(reference), "auth.usr")).toBeUndefined();
    expect(focusNames(openFlow(reference))).toEqual(
      expect.arrayContaining(["auth", "auth.user", "auth.user.deleted"]),
    );
  });

  test("is called as one asks for it elsewhere, with a star or the place of the id, and is no table", () => {
    expect(boxesFrom(reference, "auth.user.*")).toEqual(boxesFrom(reference, "auth.user"));
    expect(boxesFrom(reference, "auth.user.{id}.deleted")).toEqual(boxesFrom(reference, "UserDeleted"));
    expect(boxesFrom(reference, "auth_db.users")).toBeUndefined();
  });
});

interface Box extends Point {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

describe.each(meshes)("the SVG of %s", async (_, mesh) => {
  const picture = pictureOf(mesh);
  const cards = picture.boxes.map((box) => layCard(box, picture));
  const layout = await placeCards(cards, picture);
  const boxes = cards.map(({ box, width, height }): Box => {
    return { id: box.id, ...(layout.corners.get(box.id) ?? { x: Number.NaN, y: Number.NaN }), width, height };
  });

  test("has no box over another, and none beyond its edge", () => {
    const pairs = boxes.flatMap((a, at) => boxes.slice(at + 1).map((b) => [a, b] as const));
    expect(pairs.filter(([a, b]) => overlap(a, b))).toEqual([]);
    const edge = (box: Box) => box.x >= 0 && box.y >= 0 && box.x + box.width <= layout.width;
    expect(boxes.filter((box) => !edge(box))).toEqual([]);
  });

  test("leads no arrow through a box", () => {
    const crossed = picture.arrows.flatMap(({ from, to }, at) => {
      const route = layout.routes[at] ?? [];
      expect(route.length).toBeGreaterThan(1);
      return route.slice(1).flatMap((end, step) => {
        const start = route[step] ?? end;
        const line = {
          id: "",
          x: Math.min(start.x, end.x),
          y: Math.min(start.y, end.y),
          width: Math.abs(start.x - end.x),
          height: Math.abs(start.y - end.y),
        };
        return boxes.filter((box) => overlap(line, box)).map(({ id }) => `${from} to ${to} through ${id}`);
      });
    });
    expect(crossed).toEqual([]);
  });

  test("has room for each line of a box", () => {
    const tight = cards.flatMap(({ width, lines }) =>
      lines.filter(({ x, text, kind }) => x + textWidth(text, { size: 13, bold: kind === "heard" }) > width),
    );
    expect(tight).toEqual([]);
  });

  test("is XML with a title and a description, and the same each time", async () => {
    const svg = (await printGraph(mesh, { format: "svg" })) ?? "";
    const found: string[] = [];
    const parser = new SaxesParser({ xmlns: true });
    parser.on("opentag", ({ local }) => found.push(local));
    parser.write(svg).close();
    expect(found.slice(0, 3)).toEqual(["svg", "title", "desc"]);
    expect(await printGraph(mesh, { format: "svg" })).toBe(svg);
  });

  test("stands as Mermaid and as dot, too", async () => {
    expect(strangeLines((await printGraph(mesh, { format: "mermaid" })) ?? "")).toEqual([]);
    const [graph] = parseDot((await printGraph(mesh, { format: "dot" })) ?? "");
    const kinds = graph?.children.map(({ type }) => type) ?? [];
    expect(kinds.filter((type) => type === "node_stmt")).toHaveLength(picture.boxes.length);
    expect(kinds.filter((type) => type === "edge_stmt")).toHaveLength(picture.arrows.length);
  });
});

test.each(HOSTILE.map((text) => [JSON.stringify(text), text] as const))(
  "a name that would end what it is quoted in stays a name: %s",
  async (_, name) => {
    const mesh = { ...reference, name };
    const parser = new SaxesParser();
    const texts: string[] = [];
    parser.on("text", (text) => texts.push(text));
    parser.write((await printGraph(mesh, { format: "svg" })) ?? "").close();
    expect(texts).toContain(visible(name));
    const [graph] = parseDot((await printGraph(mesh, { format: "dot" })) ?? "");
    expect(graph?.children).toHaveLength(2 + 4 + 3);
  },
);

test.each(Object.entries(schemes))("%s: every text and line stands out from its ground", (_, scheme) => {
  const { page, card, border, ...inks } = scheme;
  const faint = Object.entries(inks).filter(([, ink]) =>
    [page, card].some((ground) => contrast(ink, ground) < 4.5),
  );
  expect(faint).toEqual([]);
});

/** As WCAG defines it, from 1 to 21. */
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("a mesh that is too large for an SVG has none, and still a dot", async () => {
  const [service, ...others] = reference.services;
  const many = Array.from(
    { length: 201 },
    (_, at) => ({ ...service, name: `auth${at}` }) as (typeof others)[number],
  );
  const mesh = { ...reference, services: [...others, ...many] };
  expect(await printGraph(mesh, { format: "svg" })).toBeUndefined();
  expect(await printGraph(mesh, { format: "dot" })).toContain("digraph");
});
