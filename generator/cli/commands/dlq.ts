import { hostname, userInfo } from "node:os";
import {
  type DeadLetter,
  messageOf,
  reasonOf,
  type ServiceLetters,
  type Settling,
} from "@meshwright/runtime";
import { UsageError } from "../../project/usage-error.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour, print, printJson, printTable } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { withLetters } from "../loaded-service.js";
import { findRunningMesh } from "../running-mesh.js";

interface Output {
  readonly json?: boolean;
}

interface Selection extends Output {
  readonly all?: boolean;
  /** Who does it, and why, for the record. */
  readonly by?: string;
  readonly why?: string;
}

interface Listing extends Output {
  readonly settled?: boolean;
}

/** A page that a person reads; `--json` gives as many as there are. */
const SHOWN = 100;
const EVERY = 1_000_000;

export async function list(only: string | undefined, { json, settled = false }: Listing): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const letters: ({ readonly service: string } & DeadLetter)[] = [];
  // Those without consumers too: an outbox has dead letters of its own.
  for (const service of [...running.services, ...running.stateless]) {
    const found = await withLetters(running, service, ({ list }) => list(json ? EVERY : SHOWN, { settled }));
    letters.push(...found.map((letter) => ({ service: service.name, ...letter })));
  }
  if (json) printJson({ deadLetters: letters });
  else if (letters.length === 0)
    print(settled ? "no dead letter was redriven or discarded" : "no dead letters");
  else if (settled)
    printTable(
      ["service", "id", "done", "at", "by", "why", "subject"],
      letters.map(({ service, id, settled: done, subject }) => [
        service,
        String(id),
        done?.as ?? "",
        done?.at ?? "",
        done?.by ?? "-",
        shorten(oneLine(done?.why ?? "-"), 100),
        subject,
      ]),
    );
  else
    printTable(
      ["service", "id", "failed at", "attempts", "subject", "error"],
      letters.map(({ service, id, failedAt, attempts, subject, error }) => [
        service,
        String(id),
        failedAt,
        String(attempts),
        subject,
        shorten(reasonOf(error).split("\n", 1)[0] ?? "", 100),
      ]),
    );
  return letters.length === 0 || settled ? 0 : 1;
}

export function show(name: string, id: string, { json }: Output): Promise<ExitCode> {
  return withNamed(name, async (letters) => {
    const letter = await letters.show(parseId(id));
    if (!letter) throw unknownLetters(name, [id]);
    const { body, ...facts } = letter;
    if (json) printJson({ ...facts, body: body.toString("utf8"), bodyBase64: body.toString("base64") });
    else {
      for (const [fact, value] of Object.entries(facts)) {
        const text = typeof value === "object" && value ? JSON.stringify(value) : String(value ?? "-");
        print(`${colour.dim(fact.padEnd(11))} ${oneLine(text)}`);
      }
      print(`\n${body.toString("utf8")}`);
    }
    return 0;
  });
}

/** Oldest first, as they happened. One that fails again stays, and is a finding. */
export function redrive(name: string, ids: readonly string[], options: Selection): Promise<ExitCode> {
  return withNamed(name, async (letters) => {
    const outcomes: { readonly id: number; readonly outcome: string; readonly reason?: string }[] = [];
    for (const id of await select({ name, letters }, ids, options)) {
      const result = await letters.redrive(id, said(options)).catch((error: unknown) => ({
        outcome: "failed" as const,
        reason: messageOf(error),
      }));
      outcomes.push({ id, ...result });
    }
    if (options.json) printJson({ redriven: outcomes });
    else
      for (const { id, outcome, reason } of outcomes)
        print(`${id}: ${outcome}${reason ? `: ${oneLine(reason)}` : ""}`);
    return outcomes.every(({ outcome }) => ["applied", "stale", "queued"].includes(outcome)) ? 0 : 1;
  });
}

export function discard(name: string, ids: readonly string[], options: Selection): Promise<ExitCode> {
  return withNamed(name, async (letters) => {
    const outcomes: { readonly id: number; readonly discarded: boolean }[] = [];
    for (const id of await select({ name, letters }, ids, options)) {
      outcomes.push({ id, discarded: await letters.discard(id, said(options)) });
    }
    if (options.json) printJson({ discarded: outcomes });
    else
      for (const { id, discarded } of outcomes)
        print(`${id}: ${discarded ? "discarded" : "none that waits"}`);
    return outcomes.every(({ discarded }) => discarded) ? 0 : 1;
  });
}

/** The name of a session, where nobody says who it is: `ada@ops-1`. */
function said({ by, why }: Selection): Settling {
  return { by: by ?? `${userInfo().username}@${hostname()}`, why: why ?? null };
}

async function withNamed(
  name: string,
  work: (letters: ServiceLetters) => Promise<ExitCode>,
): Promise<ExitCode> {
  const running = await findRunningMesh(name);
  const [service] = [...running.services, ...running.stateless];
  if (!service) throw new UsageError(`there is no service "${name}"`);
  return withLetters(running, service, work);
}

interface Owner {
  readonly name: string;
  readonly letters: ServiceLetters;
}

/** All of them or none: with one wrong id nothing is touched. */
async function select(
  { name, letters }: Owner,
  ids: readonly string[],
  { all: isAll }: Selection,
): Promise<readonly number[]> {
  if ((isAll ?? false) === ids.length > 0) throw new UsageError("name either ids or --all");
  if (isAll) {
    const all = await letters.list(EVERY);
    return all.map(({ id }) => id).sort((a, b) => a - b);
  }
  const named = [...new Set(ids.map(parseId))];
  const unknown: number[] = [];
  for (const id of named) if (!(await letters.show(id))) unknown.push(id);
  if (unknown.length > 0) throw unknownLetters(name, unknown);
  return named;
}

function unknownLetters(name: string, ids: readonly (string | number)[]): UsageError {
  return new UsageError(
    `${name} has no dead letter ${ids.join(", ")}`,
    `each service counts its own: mesh dlq list ${name}`,
  );
}

function parseId(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(`"${text}" is not the id of a dead letter`, "ids are numbers: mesh dlq list");
  return Number(text);
}
