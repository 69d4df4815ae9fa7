/**
 * `@meshwright/runtime/simulation`: what the simulator runs of a service beside the public face. For the simulator
 * of the same release alone: these names may change in any version.
 */

export { refuseUnpublishable, sendBy } from "./broker/broker.js";
export { BrokerAway } from "./broker/connection.js";
export { idSql, type KeyColumns, keyColumns, keyList, keyNames } from "./database/key.js";
export { inMeshSchema } from "./database/mesh-schema.js";
export { createMutex } from "./database/mutex.js";
export { relationName, relationOf } from "./database/relation.js";
export { deletionSql, livingRows } from "./database/soft-deletion.js";
export { askedDigests, openDigests } from "./http/digest-answer.js";
export { openList } from "./http/list.js";
export { carriedColumns } from "./inbox/consumer-model.js";
export { scopeOf } from "./inbox/scope.js";
export { placeholderValue } from "./inbox/unique-conflict.js";
export { readMigrations } from "./schema/files.js";
export { splitStatements } from "./schema/split-statements.js";
export { splitStages } from "./schema/stages.js";
export { type Parts, startParts } from "./service/parts.js";
export { encodeToken, matches, subjectOf } from "./subject.js";
export { DIGEST_FORM, DIGEST_HEADER } from "./values/digests.js";
export { joinId, splitId } from "./values/entity-id.js";
export { columnShownAs, fieldFilling, memberFilling } from "./values/field.js";
export { utcText } from "./values/moment.js";
export { unfitReason, wireRow } from "./values/values.js";
