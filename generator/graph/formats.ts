/** How a picture is written; an SVG is the picture itself. */
export const graphFormats = ["svg", "mermaid", "dot"] as const;
export type GraphFormat = (typeof graphFormats)[number];
