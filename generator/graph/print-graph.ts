import type { Mesh } from "../model/mesh.js";
import { printDot } from "./dot.js";
import type { GraphFormat } from "./formats.js";
import { printMermaid } from "./mermaid.js";
import { drawPicture, type Reach, reachAll } from "./picture.js";

/** The mesh, or what a focus reaches of it, as a picture. The same mesh gives the same bytes. undefined: too large for an SVG. */
export async function printGraph(
  mesh: Mesh,
  { format, reach = reachAll(mesh) }: { readonly format: GraphFormat; readonly reach?: Reach | undefined },
): Promise<string | undefined> {
  const picture = drawPicture(mesh, reach);
  switch (format) {
    case "svg":
      return (await import("./svg/draw-svg.js")).drawSvg(picture);
    case "mermaid":
      return printMermaid(picture);
    case "dot":
      return printDot(picture);
    default:
      return format satisfies never;
  }
}
