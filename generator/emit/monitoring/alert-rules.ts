import type { Service } from "../../model/mesh.js";
import { ownServices } from "../../model/own-services.js";
import { duration, named } from "../documents/units.js";
import type { Lookup } from "../lookup.js";
import { MOMENT_SECONDS, OUTBOX_SECONDS, toleranceOf } from "./tolerances.js";

/*
 * alerts.yml: rules for Prometheus, each for one kind of fault. Expressions compare one figure of /metrics with one number, so that a
 * person can read them, and the tests evaluate them.
 */

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  /** `critical`: data is or will be wrong or unreachable. `warning`: a person should look within the day. */
  readonly severity: "critical" | "warning";
  /** Beside those of the series. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
}

export interface AlertGroup {
  readonly name: string;
  readonly rules: readonly AlertRule[];
}

/** One group for the whole mesh, then one for each service with rules of its own. */
export function alertGroups(lookup: Lookup): readonly AlertGroup[] {
  const own = ownServices(lookup.mesh.services);
  return [
    { name: lookup.mesh.name, rules: meshRules(lookup) },
    ...own.map((service) => ({
      name: `${lookup.mesh.name}: ${service.name}`,
      rules: serviceRules(service, lookup),
    })),
  ];
}

type Options = Partial<Pick<AlertRule, "for" | "severity" | "labels">>;

function rule(
  alert: string,
  expr: string,
  says: readonly [string, string],
  options: Options = {},
): AlertRule {
  const [summary, description] = says;
  return { alert, expr, for: "1m", severity: "warning", labels: {}, summary, description, ...options };
}

const SERVICE = "{{ $labels.service_name }}";
const CONSUMER = "{{ $labels.consumer }}";
const VALUE = "{{ $value | humanizeDuration }}";

function meshRules({ mesh }: Lookup): readonly AlertRule[] {
  const own = ownServices(mesh.services);
  const has = (part: (service: Service) => boolean) => own.some(part);
  const copies = has(({ consumers }) => consumers.some(({ cache, source }) => cache !== undefined || source));
  const beforeHooks = has(({ consumers }) =>
    consumers.some(({ cascades }) => cascades.some(({ before }) => before !== undefined)),
  );
  const moments = mesh.events.some(({ emit }) => emit?.at !== undefined);
  return [
    rule(
      "MeshServiceNotServing",
      "mesh_serving == 0",
      [
        `${SERVICE} turns requests away`,
        "It waits for its database or a migration, its start hook refused, or it is stopping. GET /readyz says which.",
      ],
      { for: "2m", severity: "critical" },
    ),
    rule(
      "MeshDatabaseUnreachable",
      "mesh_database_up == 0",
      [
        `${SERVICE} does not reach its database`,
        "Nothing is acknowledged and nothing lost meanwhile: messages wait.",
      ],
      { severity: "critical" },
    ),
    rule(
      "MeshBrokerUnreachable",
      "mesh_broker_up == 0",
      [
        `${SERVICE} does not reach the broker`,
        "It serves requests; its events wait in the outbox, and its copies grow old.",
      ],
      { severity: "critical" },
    ),
    rule("MeshOutboxOld", `mesh_outbox_oldest_seconds > ${OUTBOX_SECONDS}`, [
      `an event of ${SERVICE} has waited ${VALUE} to be published`,
      "Its relay is paused, no replica leads, or the broker refuses it. mesh status, and the log of the relay.",
    ]),
    rule(
      "MeshEventsRefused",
      "mesh_relay_quarantined_entities > 0",
      [
        `the broker refuses events of ${SERVICE}`,
        "Each refused event holds up its entity alone, and is tried for ever. The log has the broker's reason.",
      ],
      { for: "5m" },
    ),
    rule(
      "MeshDeadLetters",
      "mesh_dead_letters > 0",
      [
        `dead letters of ${CONSUMER} at ${SERVICE} wait for a person`,
        "mesh dlq list shows them and why; mesh dlq redrive applies them again once the cause is mended.",
      ],
      { for: "0s" },
    ),
    rule(
      "MeshConsumerStalled",
      "mesh_consumer_stalled == 1",
      [
        `${CONSUMER} settles nothing`,
        "Messages wait and none was settled, or stream or durable are missing. GET /readyz and mesh status say which.",
      ],
      { for: "2m", severity: "critical" },
    ),
    ...(copies
      ? [
          rule(
            "MeshSnapshotFailed",
            "mesh_snapshot_failed == 1",
            [
              `${CONSUMER} could not read its source`,
              "Lost events stay lost until a snapshot succeeds. mesh status has the error.",
            ],
            { for: "10m" },
          ),
          rule(
            "MeshSnapshotWanted",
            "mesh_snapshot_wanted == 1",
            [
              `${CONSUMER} has missed events`,
              "A snapshot heals that by itself, if its source answers; mesh resync takes one now.",
            ],
            { for: "15m" },
          ),
          rule(
            "MeshSnapshotRowsUnfit",
            "mesh_snapshot_unfit_rows > 0",
            [`the source of ${CONSUMER} has rows that the copy cannot take`, "mesh status names them."],
            { for: "0s" },
          ),
        ]
      : []),
    ...(beforeHooks
      ? [
          rule(
            "MeshCascadeFailing",
            'mesh_cascade_tasks{state="failing"} > 0',
            [
              `a before hook of ${SERVICE} fails`,
              "Its rows stay until it succeeds; it is tried for ever. mesh status has the error.",
            ],
            { for: "5m" },
          ),
        ]
      : []),
    ...(moments
      ? [
          rule("MeshMomentsLate", `mesh_moments_late_seconds > ${MOMENT_SECONDS}`, [
            `an event of ${SERVICE} is told ${VALUE} after its moment`,
            "The database is slow or the event cannot be written. mesh status has the error.",
          ]),
        ]
      : []),
  ];
}

function serviceRules(service: Service, lookup: Lookup): readonly AlertRule[] {
  return [
    rule(
      "MeshServiceGone",
      `absent(mesh_serving{service_name=${JSON.stringify(service.name)}})`,
      [
        `no replica of ${service.name} is scraped`,
        "None runs, none is a target of Prometheus, or Prometheus has no key for /metrics.",
      ],
      { for: "2m", severity: "critical", labels: { service_name: service.name } },
    ),
    ...service.consumers.flatMap((consumer) => {
      const { durable, stream } = consumer;
      const labels = { consumer: durable };
      const of = (metric: string) => `${metric}{consumer=${JSON.stringify(durable)}}`;
      const { lateSeconds, evictedSeconds, evictedMessages, snapshotSeconds } = toleranceOf(
        service,
        consumer,
        lookup,
      );
      return [
        rule(
          "MeshEventsLate",
          `${of("mesh_consumer_lag_seconds")} > ${lateSeconds}`,
          [
            `${durable} has an event that is ${VALUE} old and not applied`,
            `An event that fails is a dead letter within ${duration(lateSeconds)}, so this one waits behind too many, or behind one that hangs.`,
          ],
          { for: "2m", labels },
        ),
        ...(evictedSeconds === undefined
          ? []
          : [
              rule(
                "MeshEventsNearEviction",
                `${of("mesh_consumer_lag_seconds")} > ${evictedSeconds}`,
                [
                  `${durable} will lose events`,
                  `Stream ${stream} forgets them after ${duration(evictedSeconds * 2)}; a snapshot then heals what it can.`,
                ],
                { severity: "critical", labels },
              ),
            ]),
        ...(evictedMessages === undefined
          ? []
          : [
              rule(
                "MeshStreamNearlyOverrun",
                `${of("mesh_consumer_lag_messages")} > ${evictedMessages}`,
                [
                  `${durable} is ${named(evictedMessages, "message")} behind, half of what its stream keeps`,
                  `Stream ${stream} drops its oldest messages, read or not. More replicas, or streams: { max_messages }.`,
                ],
                { severity: "critical", labels },
              ),
            ]),
        ...(snapshotSeconds === undefined
          ? []
          : [
              rule(
                "MeshSnapshotOverdue",
                `${of("mesh_snapshot_age_seconds")} > ${snapshotSeconds}`,
                [
                  `${durable} was last compared with its source ${VALUE} ago`,
                  `mesh.yaml asks for that every ${duration(snapshotSeconds / 2)}.`,
                ],
                { for: "5m", labels },
              ),
            ]),
      ];
    }),
  ];
}

export interface AlertsView {
  readonly header: string;
  readonly groups: readonly { readonly name: string; readonly rules: readonly RuleView[] }[];
}

/** Each text as JSON writes it, which YAML reads as well. */
interface RuleView {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: readonly string[];
  readonly summary: string;
  readonly description: string;
}

export function alertsView(lookup: Lookup, header: string): AlertsView {
  return {
    header,
    groups: alertGroups(lookup).map(({ name, rules }) => ({
      name: JSON.stringify(name),
      rules: rules.map((one) => ({
        alert: one.alert,
        expr: JSON.stringify(one.expr),
        for: one.for,
        labels: Object.entries({ severity: one.severity, ...one.labels }).map(
          ([label, text]) => `${label}: ${JSON.stringify(text)}`,
        ),
        summary: JSON.stringify(one.summary),
        description: JSON.stringify(one.description),
      })),
    })),
  };
}
