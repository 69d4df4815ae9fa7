import { type Explanation, explain } from "./explanation.js";

export const syntaxExplanations = {
  "yaml-syntax": explain(
    "The text is no YAML 1.2, so nothing can be said of what it means. What comes after it may be wrong in its train: mend it first.",
    "publishes: [auth.user.*",
    "publishes: [auth.user.*]",
  ),
  "conflict-marker": explain(
    "Where two branches have changed the same lines, git leaves both versions between markers. Which of them holds is no question of YAML.",
    "<<<<<<< HEAD\n  maps: { external: true }\n=======\n  roads: { external: true }\n>>>>>>> roads",
    "  maps: { external: true }\n  roads: { external: true }",
  ),
  "unstorable-text": explain(
    "PostgreSQL stores no NUL, and JSON carries no half of a surrogate pair: a constraint or a message with it would be refused.",
    'status: { type: text, default: open, one_of: [open, paid, "pa\\0id"] }',
    "status: { type: text, default: open, one_of: [open, paid] }",
  ),
  "duplicate-key": explain(
    "YAML has no order between the two, and readers differ in which one they take.",
    "user_cache:\n  columns: { other_id: { type: text, key: true } }",
    "others:\n  columns: { other_id: { type: text, key: true } }",
  ),
  "unknown-anchor": explain(
    "An alias repeats a value that is marked with & further up.",
    "total: *idd",
    "total: integer",
  ),
  "too-large": explain(
    "A file, or what its aliases multiply it to, is read only up to a size that no mesh of people reaches: beyond it a few lines could use up all memory.",
  ),
  "too-deep": explain(
    "Mappings and lists are read to a depth that no mesh needs, so that a hostile file cannot exhaust the stack.",
  ),
  "more-mistakes": explain(
    "After very many mistakes the first hundred are listed. Most of the others usually go with them.",
  ),
  "empty-file": explain(
    "Nothing, or comments alone, stand in the file. `mesh init` writes a small mesh to begin with.",
  ),
  "not-a-mesh": explain(
    "A mesh is a mapping of its sections. A list or a single value at the top has nothing to be read by.",
    "- auth\n- sales",
    "mesh: shop\nservices: { maps: { external: true } }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
