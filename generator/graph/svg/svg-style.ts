/** Colours of one scheme. Each text and line stands out from its ground by 4.5 to 1 at least. */
interface Scheme {
  readonly page: string;
  readonly card: string;
  readonly border: string;
  readonly text: string;
  readonly muted: string;
  readonly copy: string;
  readonly cascade: string;
}

const LIGHT: Scheme = {
  page: "#ffffff",
  card: "#f6f8fa",
  border: "#c2cad3",
  text: "#1f2328",
  muted: "#59636e",
  copy: "#0758b8",
  cascade: "#c3202c",
};

const DARK: Scheme = {
  page: "#0d1117",
  card: "#171d25",
  border: "#444c56",
  text: "#f0f6fc",
  muted: "#9da7b2",
  copy: "#64a8ff",
  cascade: "#ff7b72",
};

export const schemes = { light: LIGHT, dark: DARK } as const;

const FONTS =
  'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans","DejaVu Sans",sans-serif';

/**
 * With its own ground, so that it is legible also where a page is dark and its reader's system light. Without variables, which
 * not everything that draws an SVG knows.
 */
export const STYLE = [
  "svg{max-width:100%;height:auto}",
  `text{font:13px ${FONTS}}.title{font-size:15px}.title,text.heard{font-weight:600}.kind,.legend{font-size:12px}`,
  ".kind{text-anchor:end}.note{font-style:italic}",
  ".mark,.arrow{fill:none;stroke-width:1.5}.arrow.cascade{stroke-width:2.25}.arrow.hooks{stroke-dasharray:4 4}",
  ".arrow:hover{stroke-width:4}.external{stroke-dasharray:5 4}",
  coloursOf(schemes.light),
  `@media(prefers-color-scheme:dark){${coloursOf(schemes.dark)}}`,
].join("\n");

function coloursOf({ page, card, border, text, muted, copy, cascade }: Scheme): string {
  return [
    `.page{fill:${page}}.card{fill:${card}}.card,.rule{stroke:${border}}`,
    `text{fill:${text}}text.kind,text.legend,text.entity,text.note{fill:${muted}}`,
    `.mark,.arrow{stroke:${muted}}.mark.copy,.arrow.copy{stroke:${copy}}.mark.cascade,.arrow.cascade{stroke:${cascade}}`,
    `marker{fill:${muted}}marker.copy{fill:${copy}}marker.cascade{fill:${cascade}}`,
  ].join("");
}
