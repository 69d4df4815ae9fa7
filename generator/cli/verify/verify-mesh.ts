import {
  type ConsumerDefinition,
  countFindings,
  type ExistingDifference,
  MigrationError,
  messageOf,
  migrationState,
  NoAnswer,
  readDifferences,
  type ServiceDefinition,
  SnapshotFailed,
  type Verification,
  type VerifyOptions,
  verifyCache,
  verifyReferences,
} from "@meshwright/runtime";
import type { Pool } from "pg";
import type { Service } from "../../model/mesh.js";
import { type Databases, openDatabases } from "../asked-sources.js";
import { type RunningMesh, sourceKeys } from "../running-mesh.js";
import { silenceOf } from "../service-silence.js";

/*
 * Compares the copies of a running mesh with their sources. All databases and sources are asked for a sign of life at once, each with a
 * time of its own; then one copy after the other is compared, for as long as its database answers.
 */

export interface VerifiedMesh {
  readonly caches: readonly Verification[];
  readonly notCompared: readonly NotCompared[];
  /** Tables and views that exist and are not what mesh.yaml says of them, of each service that has some. */
  readonly differences: readonly ServiceDifferences[];
}

/** What of a service could not be compared, and why: who did not answer is named. */
export interface NotCompared {
  readonly service: string;
  /** Copies, or tables whose rows refer to what the source has. */
  readonly tables: readonly string[];
  readonly reason: string;
}

export interface ServiceDifferences {
  readonly service: string;
  readonly differences: readonly ExistingDifference[];
}

/** Whether all was compared, and nothing differs. */
export function isEqual({ caches, notCompared, differences }: VerifiedMesh): boolean {
  return (
    notCompared.length === 0 && differences.length === 0 && caches.every((one) => countFindings(one) === 0)
  );
}

export async function verifyMesh(running: RunningMesh): Promise<VerifiedMesh> {
  const databases = await openDatabases(running, running.services, { sessions: 2 });
  try {
    const asked = await Promise.all(running.services.map((service) => askFirst(running, databases, service)));
    const caches: Verification[] = [];
    const notCompared: NotCompared[] = [];
    for (const one of asked) {
      const found = await compareAll(databases, one);
      caches.push(...found.caches);
      notCompared.push(...found.notCompared);
    }
    const differences = asked.flatMap(({ service, differences: found }) =>
      found.length === 0 ? [] : [{ service: service.name, differences: found }],
    );
    return { caches, notCompared, differences };
  } finally {
    await databases.close();
  }
}

/** A service that was asked whether its database and the sources of its copies answer. */
interface AskedService {
  readonly service: Service;
  readonly env: NodeJS.ProcessEnv;
  readonly consumers: readonly ConsumerDefinition[];
  /** Why its database is out of reach; undefined where it answers. */
  readonly silence: string | undefined;
  /** The same of sources, by durable. */
  readonly silentSources: ReadonlyMap<string, string>;
  readonly differences: readonly ExistingDifference[];
  /** Migrations that its database lacks. */
  readonly pending: readonly string[];
}

async function askFirst(running: RunningMesh, databases: Databases, service: Service): Promise<AskedService> {
  const { definition, env: own } = databases.of(service);
  const consumers = definition.consumers.filter(({ sync }) => sync);
  const env = consumers.length === 0 ? own : { ...own, ...sourceKeys(running, service) };
  const [stored, ...sources] = await Promise.all([
    databases
      .ask(service, ({ pool }) => readStanding(pool, definition))
      .then(
        (standing) => ({ ...standing, silence: undefined }),
        (error: unknown) => ({
          differences: [],
          pending: [],
          silence: outOfReach(error, service),
        }),
      ),
    ...consumers.map((consumer) => askSource(consumer, env)),
  ]);
  const silentSources = sources.flatMap((reason, at) => {
    const durable = consumers[at]?.durable;
    return reason === undefined || durable === undefined ? [] : [[durable, reason] as const];
  });
  return { service, env, consumers, ...stored, silentSources: new Map(silentSources) };
}

type Standing = Pick<AskedService, "differences" | "pending">;

/** A database that lacks migrations need not have what mesh.yaml says. */
async function readStanding(
  pool: Pool,
  { name: service, database, ...parts }: ServiceDefinition,
): Promise<Standing> {
  if (database === undefined) return { differences: [], pending: [] };
  const pending = await migrationState(pool, { ...database, service }).then(
    (state) => state.pending,
    (error: unknown) => {
      // Files and ledger disagree: mesh status says how, and copies can be compared all the same.
      if (error instanceof MigrationError) return [];
      throw error;
    },
  );
  return { pending, differences: pending.length > 0 ? [] : await readDifferences(pool, parts) };
}

/** Why the service that owns the entities does not answer; undefined where it does, whatever it answers, or nobody asks it. */
async function askSource(
  { entity, sync }: ConsumerDefinition,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const base = sync && env[sync.urlVariable];
  if (base === undefined || base === "") return undefined;
  const [owner = ""] = entity.split(".");
  return await silenceOf(owner, base);
}

async function compareAll(
  databases: Databases,
  { service, env, consumers, silence, silentSources, pending }: AskedService,
): Promise<Pick<VerifiedMesh, "caches" | "notCompared">> {
  const caches: Verification[] = [];
  const notCompared: NotCompared[] = [];
  const lacking =
    pending.length === 0
      ? undefined
      : `its database ${service.database} lacks ${pending.join(", ")}: mesh migrate ${service.name}`;
  const { tables, views = [] } = databases.of(service).definition;
  const all = [...tables, ...views].map(({ name }) => name);
  if (consumers.length === 0 && (silence ?? lacking) !== undefined)
    return {
      caches,
      notCompared: [{ service: service.name, tables: all, reason: silence ?? lacking ?? "" }],
    };
  for (const consumer of consumers) {
    const found =
      silence ??
      silentSources.get(consumer.durable) ??
      (await databases
        .during(service, ({ pool }) => compareOne({ pool, consumer, env }))
        .catch((error: unknown) => lacking ?? reasonOf(error, service)));
    if (typeof found === "string")
      notCompared.push({ service: service.name, tables: tablesOf(consumer), reason: found });
    else caches.push(...found);
  }
  return { caches, notCompared };
}

async function compareOne(options: VerifyOptions): Promise<readonly Verification[]> {
  const copies = options.consumer.cache === undefined ? [] : [await verifyCache(options)];
  return [...copies, ...(await verifyReferences(options))];
}

function tablesOf({ cache, events }: ConsumerDefinition): readonly string[] {
  if (cache !== undefined) return [cache.name];
  const rules = events.flatMap(({ cascades }) => cascades ?? []);
  return [...new Set(rules.map(({ table }) => table.name))];
}

/** Who has failed: what is wrong with a source says so itself. */
function reasonOf(error: unknown, service: Service): string {
  if (error instanceof NoAnswer) return outOfReach(error, service);
  const said = messageOf(error);
  return error instanceof SnapshotFailed ? said : `its database ${service.database}: ${said}`;
}

function outOfReach(error: unknown, { database }: Service): string {
  return `its database ${database} is out of reach: ${messageOf(error)}`;
}
