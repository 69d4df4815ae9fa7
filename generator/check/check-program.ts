import type { DiagnosticCode } from "../diagnostics/registry.js";
import type { Report } from "../diagnostics/report.js";
import type { Program } from "../language/program.js";
import { tellCauses } from "./doubts/doubts.js";
import type { HookFile } from "./hook-files.js";
import type { HookRule, Rule } from "./rule.js";
import { checkCacheColumns } from "./rules/cache-columns.js";
import { checkCacheConditions } from "./rules/cache-conditions.js";
import { adviseCacheFreshness } from "./rules/cache-freshness.js";
import { checkCacheSource } from "./rules/cache-source.js";
import { checkCacheSync } from "./rules/cache-sync.js";
import { checkCaches } from "./rules/caches.js";
import { checkCalls } from "./rules/calls.js";
import { checkCascadeHooks } from "./rules/cascade-hooks.js";
import { checkCascadeTargets } from "./rules/cascade-targets.js";
import { checkCascades } from "./rules/cascades.js";
import { checkColumnSets } from "./rules/column-sets.js";
import { adviseDefaults, checkColumnValues } from "./rules/column-values.js";
import { checkConsumerNames } from "./rules/consumer-names.js";
import { checkCopyFields } from "./rules/copy-fields.js";
import { adviseCopyUniques } from "./rules/copy-uniques.js";
import { checkMadeKeys } from "./rules/database-keys.js";
import { checkDatabaseOwnership } from "./rules/database-ownership.js";
import { adviseDeletionLoops } from "./rules/deletion-loops.js";
import { checkDeletions } from "./rules/deletions.js";
import { checkDelivery } from "./rules/delivery.js";
import { checkDurations } from "./rules/durations.js";
import { adviseEffects, checkEffects } from "./rules/effects.js";
import { checkEmitConditions } from "./rules/emit-conditions.js";
import { checkEmits } from "./rules/emits.js";
import { checkEntityIds } from "./rules/entity-ids.js";
import { checkEnvironment } from "./rules/environment.js";
import { checkEventNames } from "./rules/event-names.js";
import { checkExistingTables } from "./rules/existing-tables.js";
import { checkExternalServices } from "./rules/external-services.js";
import { adviseForeignIdLists } from "./rules/foreign-id-lists.js";
import { adviseForeignIds } from "./rules/foreign-ids.js";
import { checkForeignMessages } from "./rules/foreign-messages.js";
import { checkIdentifiers } from "./rules/identifiers.js";
import { checkIdleConditions } from "./rules/idle-conditions.js";
import { adviseIdleSubscriptions } from "./rules/idle-subscriptions.js";
import { adviseIdsInNames } from "./rules/ids-in-names.js";
import { checkLimits } from "./rules/limits.js";
import { checkLocalColumns } from "./rules/local-columns.js";
import { checkNameCollisions } from "./rules/name-collisions.js";
import { adviseNamedTypes, checkNamedTypes } from "./rules/named-types.js";
import { checkOverlappingPatterns } from "./rules/overlapping-patterns.js";
import { adviseOwnCascades } from "./rules/own-cascades.js";
import { checkPayloadFields } from "./rules/payload-fields.js";
import { checkPayloadSchemas } from "./rules/payload-schemas.js";
import { checkPorts } from "./rules/ports.js";
import { checkPrivateColumns } from "./rules/private-columns.js";
import { checkReferences } from "./rules/references.js";
import { checkResources } from "./rules/resources.js";
import { adviseRetention } from "./rules/retention.js";
import { adviseRetries } from "./rules/retries.js";
import { checkRowChecks } from "./rules/row-checks.js";
import { checkSharedDatabases } from "./rules/shared-databases.js";
import { adviseSilentEvents } from "./rules/silent-events.js";
import { checkSoftDeletes } from "./rules/soft-deletes.js";
import { checkSources } from "./rules/sources.js";
import { adviseStreamSize, checkStreamSize } from "./rules/stream-size.js";
import { checkSubjectOwnership } from "./rules/subject-ownership.js";
import { checkSubscriptions } from "./rules/subscriptions.js";
import { checkTableEntities } from "./rules/table-entities.js";
import { checkTableKeys } from "./rules/table-keys.js";
import { checkTimedEvents } from "./rules/timed-events.js";
import { checkTypedObjects } from "./rules/typed-objects.js";
import { adviseUnusedParts } from "./rules/unused-parts.js";
import { checkWholeNumbers } from "./rules/whole-numbers.js";

const rules: readonly Rule[] = [
  checkDatabaseOwnership,
  checkSharedDatabases,
  checkExternalServices,
  checkForeignMessages,
  checkSubjectOwnership,
  checkSubscriptions,
  checkOverlappingPatterns,
  checkPorts,
  checkSources,
  checkResources,
  checkDelivery,
  checkDurations,
  checkStreamSize,
  checkEffects,
  checkEnvironment,
  checkExistingTables,
  checkTableKeys,
  checkColumnValues,
  checkMadeKeys,
  checkPrivateColumns,
  checkSoftDeletes,
  checkRowChecks,
  checkColumnSets,
  checkReferences,
  checkCaches,
  checkCopyFields,
  checkCacheColumns,
  checkCacheConditions,
  checkLocalColumns,
  checkCacheSync,
  checkCacheSource,
  checkCalls,
  checkEventNames,
  checkEmits,
  checkTableEntities,
  checkEntityIds,
  checkEmitConditions,
  checkTimedEvents,
  checkIdleConditions,
  checkNamedTypes,
  checkPayloadFields,
  checkTypedObjects,
  checkPayloadSchemas,
  checkWholeNumbers,
  checkCascades,
  checkCascadeTargets,
  checkCascadeHooks,
  checkConsumerNames,
  checkDeletions,
  checkLimits,
  checkIdentifiers,
  checkNameCollisions,
];

/** Warnings: a mesh that compiles and runs, and does something unexpected. */
const advice: readonly Rule[] = [
  adviseCacheFreshness,
  adviseCopyUniques,
  adviseDefaults,
  adviseDeletionLoops,
  adviseEffects,
  adviseForeignIds,
  adviseIdsInNames,
  adviseNamedTypes,
  adviseOwnCascades,
  adviseRetention,
  adviseRetries,
  adviseStreamSize,
  adviseUnusedParts,
];

export function checkProgram(program: Program, report: Report): void {
  tellCauses(program, report, (held) => {
    for (const rule of rules) rule(program, held);
  });
}

/** By the code of what each reports: where nobody has looked at the hooks, it is not known. */
const hookAdvice = {
  "foreign-ids-in-list": adviseForeignIdLists,
  "idle-subscription": adviseIdleSubscriptions,
  "silent-event": adviseSilentEvents,
} as const satisfies Readonly<Partial<Record<DiagnosticCode, HookRule>>>;

export const codesBesideHooks: readonly string[] = Object.keys(hookAdvice);

/** For a program without errors only: a misspelt name would cause warnings that follow from it. `hooks`: undefined where nobody has looked. */
export function adviseProgram(
  program: Program,
  report: Report,
  hooks: readonly HookFile[] | undefined,
): void {
  for (const rule of advice) rule(program, report);
  if (hooks !== undefined) for (const rule of Object.values(hookAdvice)) rule(program, report, hooks);
}
