import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Sourced {
  /** Commands that were executed besides assignments, and the shell's error messages. */
  readonly ran: string;
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Sources .env files, each in a shell of its own that names every command that it is about to execute, substitutions
 * included, and has none to execute.
 */
export function sourceAll(texts: readonly string[]): readonly Sourced[] {
  const folder = mkdtempSync(join(tmpdir(), "mesh-sourced-"));
  try {
    mkdirSync(join(folder, "work"));
    const files = texts.map((text, at) => {
      writeFileSync(join(folder, String(at)), text);
      return join(folder, String(at));
    });
    const bash = spawnSync("/bin/bash", ["--norc", "--noprofile", "-c", EACH, "bash", ...files], {
      cwd: join(folder, "work"),
      env: { PATH: "", HOME: "/home/of/somebody" },
      maxBuffer: 1 << 30,
    });
    if (bash.status !== 0) throw bash.error ?? new Error(`bash: ${bash.stderr.toString()}`);
    const parts = bash.stdout.toString().split(`${END}\n`);
    const left = readdirSync(join(folder, "work"));
    if (left.length > 0) throw new Error(`sourcing has left ${left.join(", ")}`);
    return texts.map((_, at) => read(parts[at] ?? ""));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const END = "--end-of-file--";
const VARIABLES = "--variables--";

/** Functions and subshells inherit the trap (`-T`). An assignment triggers it, too, and is recognised by its first characters. */
const EACH = `
for file in "$@"; do
  (
    exec 2>&1 3>&1
    set -T
    trap 'if [[ ! $BASH_COMMAND =~ ^[A-Z][A-Z0-9_]*= && $BASH_COMMAND != ". \\"\\$file\\"" && $BASH_COMMAND != "trap - DEBUG" ]]; then printf "ran: %s\\n" "$BASH_COMMAND" >&3; fi' DEBUG
    . "$file"
    trap - DEBUG
    printf '%s\\n' '${VARIABLES}'
    for name in $(compgen -v); do printf '%s=%s\\0' "$name" "\${!name}"; done
  )
  printf '%s\\n' '${END}'
done
`;

function read(output: string): Sourced {
  const [ran = "", listed = "sourcing ended the shell"] = output.split(`${VARIABLES}\n`);
  const pairs = listed.split("\0").map((pair) => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return {
    ran: output.includes(VARIABLES) ? ran : `${ran}the file ended the shell`,
    variables: Object.fromEntries(pairs),
  };
}
