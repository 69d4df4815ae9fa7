/**
 * The runtime's public face: what generated services are made of, and what hooks, scripts and tools
 * may call. Everything else under runtime/ is free to change.
 */

// What generated code says to the runtime, and the types that hooks are written with:

export type {
  CascadeDefinition,
  ConsumedEvent,
  ConsumerDefinition,
  DeliveryDefinition,
  HeardEvent,
  StatelessConsumerDefinition,
  SyncDefinition,
} from "./definition/consumer-definition.js";
export type {
  EventDefinition,
  EventDefinitions,
  MeshEvent,
  MessageSchema,
  Metadata,
  Payload,
  ValidationError,
  Validator,
} from "./definition/event-definition.js";
export type {
  BeforeContext,
  BeforeDelete,
  ConsumerHooks,
  Handler,
  HandlerContext,
  Logger,
  MessageContext,
  MessageHandler,
  MessageHooks,
  ServiceHooks,
  StartContext,
  StartHook,
  StatelessHooks,
  SubscriberHooks,
  Tx,
} from "./definition/hook-definition.js";
export type {
  CallerDefinition,
  CallVerb,
  DatabaseDefinition,
  EnvironmentDefinition,
  GrantDefinition,
  ResourceDefinition,
  ServiceDefinition,
  ServiceFactory,
  StatelessDefinition,
} from "./definition/service-definition.js";
export type { StreamDefinition } from "./definition/stream-definition.js";
export type {
  ColumnDefinition,
  NewRow,
  RowKey,
  RowPatch,
  TableDefinition,
} from "./definition/table-definition.js";
export { deadLetterStreamOf } from "./stateless/dead-letter-stream.js";
export { type StreamOptions, streamOf } from "./stream.js";
export type { ColumnType } from "./values/column-types.js";
export { JsonText } from "./values/json-text.js";
export { type LinearPattern, linearPattern } from "./values/linear-pattern.js";

// A service's data: rows that are written together with their events, and events that no table implies:

export { type EventToEnqueue, EventTooLarge, enqueueEvent, InvalidEvent } from "./outbox/enqueue.js";
export { type EventOf, type Publisher, type PublisherOptions, publisherOf } from "./outbox/publisher.js";
export { InvalidRow } from "./repository/invalid-row.js";
export {
  type ReadRepository,
  type Repository,
  type RepositoryOf,
  readRepository,
  repositoryOf,
  tableRepository,
} from "./repository/repository.js";
export type { Key } from "./repository/rows.js";

// A service, in a process of its own (`runMain`) or in this one (`startService`):

export { ConfigurationError } from "./configuration-error.js";
export {
  brokerLogin,
  checkBroker,
  checkDatabase,
  databaseUrl,
  LOGIN_VARIABLES,
  readCredentials,
} from "./service/credentials.js";
export { HooksError, loadService } from "./service/hooks.js";
export { SAME_SIGNAL_MS, watchLauncher } from "./service/launcher.js";
export { runMain } from "./service/run-main.js";
export type { Environment } from "./service/secret-files.js";
export { type RunningService, type StartOptions, startService } from "./service/start.js";
export { checkDatabaseUrl } from "./service/urls.js";

// What an operator does, as functions:

export {
  type DeadLetter,
  type DeadLetterFilter,
  describeSettlement,
  discardDeadLetter,
  listDeadLetters,
  type Redriven,
  type RedriveOptions,
  redriveDeadLetter,
  type Settlement,
  type Settling,
  showDeadLetter,
} from "./consumer/dead-letters.js";
export type { ResyncResult } from "./http/operate-routes.js";
export { ANSWER_MS, answerWithin, NoAnswer } from "./operate/answer-within.js";
export type { OutboxStatus } from "./operate/figures.js";
export { countFindings, type FoundRow, type RowFinding, type Verification } from "./operate/findings.js";
export { type Identify, identifier, type MessageIdentity } from "./operate/identify-message.js";
export {
  type LettersOptions,
  lettersInDatabase,
  lettersInStream,
  type ServiceLetters,
} from "./operate/letters.js";
export { type LoweredVersions, lowerVersions } from "./operate/lower-versions.js";
export { type RedriveLetterOptions, redriveLetter } from "./operate/redrive.js";
export { type ResyncOptions, requestResync } from "./operate/request-resync.js";
export {
  type ConsumerStatus,
  type ServiceStatus,
  type StatusOptions,
  serviceStatus,
} from "./operate/status.js";
export type { CascadeStatus, MomentStatus, SnapshotStatus } from "./operate/stored-status.js";
export {
  type ComingMoment,
  findWaiting,
  type OwnerTrace,
  type RefusedEvent,
  type RowStanding,
  traceOwner,
  type WaitingEvent,
} from "./operate/trace-owner.js";
export { type Standing, type StandingFacts, standingOf, type TracedEvent } from "./operate/trace-standing.js";
export {
  findTasks,
  type SubscriberTrace,
  type TracedLetter,
  type TracedRetry,
  type TracedTask,
  traceSubscriber,
} from "./operate/trace-subscriber.js";
export { type VerifyOptions, verifyCache } from "./operate/verify.js";
export { verifyReferences } from "./operate/verify-references.js";
export { SnapshotFailed } from "./resync/snapshot-source.js";

// Databases: connections, and migrations as the owner:

export { clientConfig } from "./database/connecting.js";
export { createPool } from "./database/pool.js";
export { requireOwnSessions } from "./database/pooler.js";
export {
  type AppliedMigration,
  type CatalogColumn,
  type CatalogForeignKey,
  type CatalogTable,
  type CustomSqlMistake,
  compareExisting,
  type Detached,
  type DetachOptions,
  describeDifference,
  detachDatabase,
  type ExistingDifference,
  ExistingDiffers,
  type ExistingFindings,
  type ExistingTable,
  findCustomSqlMistakes,
  type Grants,
  type MigrateAsOwnerOptions,
  type MigratedDatabase,
  type MigrateOptions,
  MigrationError,
  type MigrationFiles,
  type MigrationReport,
  mayMigrate,
  migrate,
  migrateAsOwner,
  migrationState,
  normalizeSql,
  OWNER_BOUND,
  type OwnedDatabase,
  readCatalog,
  readDifferences,
  readMeshSchemas,
  type Statement,
  splitStatements,
  TablesHeld,
} from "./schema/index.js";

// The broker: to provision streams and durables, to listen, to test:

export {
  type Broker,
  type BrokerStatus,
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type Delivery,
  DurablePastEnd,
  type OutgoingMessage,
  type PublishAck,
  PublishFailed,
  type PullSubscription,
  type StoredMessage,
  type StreamState,
} from "./broker/broker.js";
export { type ConnectOptions, connectJetStream } from "./broker/jetstream.js";
export { type BrokerLogin, credentialsOf } from "./broker/login.js";
export { openStreamReader, type ReadRange, type StreamReader } from "./broker/stream-reader.js";
export { encodeToken, matches, parseSubject, type SubjectParts, subjectOf } from "./subject.js";
export { headerId, headerOf } from "./telemetry/cause.js";

// Keys and errors as texts:

export { messageOf, reasonOf } from "./text/error-message.js";
export { digestText, shownKey } from "./values/access-keys.js";
