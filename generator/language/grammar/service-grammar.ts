import { deliveryDefaults, streamDefaults } from "@meshwright/runtime/defaults";
import { callVerbs } from "../../vocabulary/call-verbs.js";
import { envelopes } from "../../vocabulary/envelopes.js";
import { namings } from "../../vocabulary/namings.js";
import {
  choice,
  dictionary,
  either,
  flag,
  integer,
  key,
  list,
  mapping,
  requiredKey,
  scalar,
} from "../shape.js";
import {
  consumerName,
  databaseName,
  duration,
  pattern,
  printDuration,
  printSize,
  resourcePath,
  serviceName,
  size,
  sourceName,
  streamName,
  subscription,
  tableName,
  text,
  variableName,
} from "../words.js";

export const deliveryShape = mapping("a delivery", {
  attempts: key(
    "How often a failing handler is tried before its event becomes a dead letter.",
    integer(1, 1_000),
    deliveryDefaults.attempts,
  ),
  backoff: key(
    "Waits after each failed attempt; the last one repeats.",
    list(duration, 1),
    deliveryDefaults.backoffSeconds.map(printDuration),
  ),
  ack_wait: key(
    "How long the broker waits for an acknowledgement before it delivers again.",
    duration,
    printDuration(deliveryDefaults.ackWaitSeconds),
  ),
  max_ack_pending: key(
    "How many messages may be unacknowledged over all replicas of the service.",
    integer(1, 1_000_000),
    deliveryDefaults.maxAckPending,
  ),
  batch: key(
    "How many messages are applied in one transaction at most.",
    integer(1, 100_000),
    deliveryDefaults.batch,
  ),
});

const streamKeys = {
  replicas: key(
    "Copies in a JetStream cluster; by default 1 under `mesh dev` and 3 in production.",
    integer(1, 5),
  ),
  max_age: key(
    "How long messages are kept, longer than any `ack_wait` and `backoff` of who hears them; 0 keeps them for ever.",
    duration,
    printDuration(streamDefaults.maxAgeSeconds),
  ),
  max_messages: key(
    "How many messages are kept.",
    integer(1, Number.MAX_SAFE_INTEGER),
    streamDefaults.maxMessages,
  ),
  max_bytes: key("How much is kept.", size, printSize(streamDefaults.maxBytes)),
  tombstones: key(
    "How long a deletion is remembered, so that no late event brings the deleted back; at least `max_age`, 0 for ever. Its owner counts its versions on for twice as long.",
    duration,
    printDuration(streamDefaults.tombstoneSeconds),
  ),
  duplicate_window: key(
    "How long the broker remembers message ids; at most `max_age`.",
    duration,
    printDuration(streamDefaults.duplicateWindowSeconds),
  ),
};

export const streamShape = mapping("a stream", streamKeys);

const ownStreamShape = mapping("a stream", {
  name: key(
    "Of an external service: what its stream is called; by default the service's name in capitals.",
    streamName,
  ),
  ...streamKeys,
});

const variableShape = either(
  scalar,
  mapping("an environment variable", {
    default: key("Value when it is not set.", scalar),
    description: key("What it is for; shown in `.env.example`.", text),
    required: key("The service refuses to start without it.", flag, false),
    example: key("A value to show in `.env.example`.", scalar),
  }),
);

/** The words of CRUD, and the other methods of HTTP. */
const foreignVerbs: ReadonlyMap<string, string> = new Map([
  ...callVerbs.map((verb) => [verb, verb] as const),
  ...["read", "list", "head", "select"].map((word) => [word, "get"] as const),
  ...["create", "insert", "add"].map((word) => [word, "post"] as const),
  ...["update", "put", "write"].map((word) => [word, "patch"] as const),
  ...["remove", "del"].map((word) => [word, "delete"] as const),
]);

const callVerb = choice("verb", callVerbs, {
  foreign: (written) => {
    const verb = foreignVerbs.get(written.toLowerCase());
    return verb && `write "${verb}"`;
  },
});

export function namingKey(whose: string) {
  return key(
    `How the wire calls what a column holds, in events, REST and snapshots, ${whose}: \`camelCase\` has \`restaurantId\` for \`restaurant_id\`. Rows in TypeScript and SQL stay as the columns are.`,
    choice("naming", namings),
    "columns",
  );
}

export const serviceShape = mapping("a service", {
  source: key("`metadata.source` of every event that it publishes; by default `<name>-service`.", sourceName),
  description: key("What the service is for.", text),
  external: key(
    "Written by hand elsewhere: only its event types, validators and schemas are generated.",
    flag,
    false,
  ),
  envelope: key(
    "How the messages of an external service say whose they are: `mesh` has the documented `metadata`, `cloudevents` is CloudEvents 1.0 in JSON or in headers, `none` the payload alone.",
    choice("envelope", envelopes),
    "mesh",
  ),
  naming: namingKey("of this service"),
  database: key(
    "Its database; no other service may use it. A service without one only hands what it hears to its hooks: it keeps nothing, publishes nothing, and calls them at least once per message.",
    databaseName,
  ),
  publishes: key(
    "Patterns of the subjects that it owns: `auth.user.*`, or `auth.*` for every entity.",
    list(pattern),
  ),
  subscribes: key(
    "Patterns of the subjects that it hears, its own included if it wants to; `sales.order.paid` is one action alone, for a hook.",
    list(
      either(
        subscription,
        mapping("a subscription", {
          to: requiredKey("The pattern, or the action.", subscription),
          name: key(
            "Makes it a consumer of its own beside the one that keeps copies and cascades: hooks alone, under this name among the service's hooks, with a durable, order, attempts and dead letters of its own, so that neither holds up the other.",
            consumerName,
          ),
          delivery: key(
            "How this consumer takes messages; overrides the service's `delivery`.",
            deliveryShape,
          ),
        }),
      ),
    ),
  ),
  http: key(
    "REST over its tables.",
    mapping("an http block", {
      port: requiredKey("Port that it listens on; PORT overrides it.", integer(1, 65_535, 8080)),
      resources: key(
        "Tables by path. A GET of the collection is also the snapshot that caches sync from.",
        dictionary(resourcePath, tableName),
      ),
    }),
  ),
  calls: key(
    "What it calls of other services over HTTP, by service and path, beside what its copies are filled from; anything else is refused to it.",
    dictionary(serviceName, dictionary(resourcePath, list(callVerb, 1))),
  ),
  environment: key(
    "Environment variables of its hooks: a default value, or its description.",
    dictionary(variableName, variableShape),
  ),
  delivery: key("How its consumers take messages; overrides the mesh's `delivery`.", deliveryShape),
  stream: key("The stream of its events; overrides the mesh's `streams`.", ownStreamShape),
});
