type Capital = Uppercase<
  // biome-ignore format: the alphabet
  | "a"
  | "b"
  | "c"
  | "d"
  | "e"
  | "f"
  | "g"
  | "h"
  | "i"
  | "j"
  | "k"
  | "l"
  | "m"
  | "n"
  | "o"
  | "p"
  | "q"
  | "r"
  | "s"
  | "t"
  | "u"
  | "v"
  | "w"
  | "x"
  | "y"
  | "z"
>;

/** A name under `types`: its capital tells it from the language's own types. */
export type TypeName = `${Capital}${string}`;

export function isTypeName(written: string): written is TypeName {
  return /^[A-Z][A-Za-z0-9]*$/.test(written);
}
