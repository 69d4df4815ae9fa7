type Node = { readonly poisoned?: boolean } & (
  | { readonly kind: "mapping"; readonly get: Readonly<Record<string, object | undefined>> }
  | { readonly kind: "list"; readonly items: readonly object[] }
  | { readonly kind: "dictionary"; readonly entries: readonly { readonly node: object | undefined }[] }
  | { readonly kind: "text" | "choice" | "integer" | "flag" | "scalar" | "open" }
);

/** Lists and dictionaries whose members are parts of the file themselves. */
const PARTED = new Set([
  "services",
  "databases",
  "subjects",
  "types",
  "cascades",
  "tables",
  "views",
  "columns",
  "payload",
]);

/** Whether something of the node was misread, apart from what is a part of the file itself. */
export function isMisread(node: object | undefined): boolean {
  if (node === undefined) return true;
  // Every node of the reader is one of these.
  const read = node as Node;
  if (read.poisoned === true) return true;
  switch (read.kind) {
    case "mapping":
      return Object.entries(read.get).some(([key, child]) =>
        child !== undefined && PARTED.has(key)
          ? isMisreadItself(child)
          : child !== undefined && isMisread(child),
      );
    case "list":
      return read.items.some(isMisread);
    case "dictionary":
      return read.entries.some((entry) => isMisread(entry.node));
    case "text":
    case "choice":
    case "integer":
    case "flag":
    case "scalar":
    case "open":
      return false;
    default:
      return read satisfies never;
  }
}

/** Something that stands in the node directly. */
export function isMisreadItself(node: object): boolean {
  return (node as Node).poisoned === true;
}
