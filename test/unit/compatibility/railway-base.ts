/** Two databases in one, composite keys, soft deletion, a timetable that existed before, a price system written by hand, moments, mapped fields. */
export const railway = `mesh: railway
types:
  Fare: { cents: integer, currency: { type: string, pattern: "^[A-Z]{3}$" }, class: { enum: [first, second] } }
  Leg: { from_code: string, to_code: string, fare: Fare?, seat: string? }
services:
  network:
    database: network_db
    publishes: [network.*]
    http: { port: 8101, resources: { /stations: stations, /trains: trains, /platforms: platforms } }
    stream: { max_age: 10d, tombstones: 60d }
  booking:
    database: booking_db
    publishes: [booking.*]
    subscribes: [network.station.*, network.train.*, tariff.fare.*]
    http: { port: 8102, resources: { /tickets: tickets, /seats: seats } }
    calls: { network: { /trains: [patch] } }
    environment: { CURRENCY: { default: EUR } }
  gate:
    database: gate_db
    subscribes: [booking.ticket.*, { to: booking.ticket.expired, name: sweeper, delivery: { attempts: 8 } }]
    http: { port: 8103, resources: { /passes: passes } }
  board:
    subscribes: [network.train.*]
  tariff:
    external: true
    publishes: [tariff.*]
    subscribes: [booking.ticket.*]
databases:
  network_db:
    tables:
      stations:
        soft_delete: closed_at
        columns:
          station_id: { type: nanoid, key: true }
          code: { type: "varchar(5)", unique: true }
          name: text
          height: "numeric(6,1)"
          closed_at: timestamptz?
      trains:
        indexes: [[line]]
        columns:
          train_id: { type: nanoid, key: true }
          line: "varchar(10)"
          speed: smallint
          delay: { type: integer, default: 0, check: "delay >= 0" }
          state: { type: text, default: planned, one_of: [planned, running, ended] }
          weight: "numeric(8,2)"
          remark: { type: text, null: true, private: true }
          leaves_at: timestamptz
      platforms:
        key: [station_id, number]
        columns:
          station_id: { type: nanoid, references: stations, on_delete: restrict }
          number: smallint
          length: "numeric(5,1)"
  booking_db:
    tables:
      station_cache:
        cache: network.station
        sync: { from: network, get: /stations }
        columns: { station_id: { type: text, key: true }, code: { type: "varchar(5)", unique: true }, name: text, height: "numeric(6,1)" }
      train_cache:
        cache: network.train
        where: { state: [planned, running] }
        sync: { from: network, get: /trains, every: 1h }
        columns:
          train_id: { type: text, key: true }
          line: "varchar(10)"
          kmh: { type: smallint, from: top_speed }
          weight: "numeric(8,2)"
          state: text
          seen: { type: boolean, null: true, local: true }
      fare_cache:
        cache: tariff.fare
        columns: { fare_id: { type: text, key: true }, cents: integer, valid: boolean? }
      seats:
        key: [train_id, coach, seat]
        unique: [[train_id, label]]
        columns:
          train_id: text
          coach: smallint
          seat: smallint
          label: text
      tickets:
        checks: { has_way: "from_id <> to_id" }
        columns:
          ticket_id: { type: nanoid, key: true }
          train_id: text
          from_id: text
          to_id: text
          traveller: text
          cents: integer
          state: { type: text, default: open, one_of: [open, paid, used] }
          ends_at: timestamptz?
          legs: json?
      refunds:
        columns:
          refund_id: { type: nanoid, key: true }
          ticket_id: { type: nanoid, references: tickets, on_delete: cascade }
          cents: integer
  gate_db:
    shares: booking_db
    tables:
      staff: { existing: true, columns: { staff_id: { type: bigint, key: true, defaulted: true }, name: text } }
      ticket_cache:
        cache: booking.ticket
        sync: { from: booking, get: /tickets }
        columns: { ticket_id: { type: text, key: true }, state: { type: text, one_of: [open, paid, used] }, holder: text }
      passes:
        columns:
          pass_id: { type: nanoid, key: true }
          ticket_id: text
          gate_no: integer?
subjects:
  network.station.{id}.opened: { event: StationOpened, emit: { table: stations, on: insert }, payload: &station { station_id: nanoid, code: string, name: string, height: decimal } }
  network.station.{id}.changed: { event: StationChanged, emit: { table: stations, on: update }, payload: *station }
  network.station.{id}.closed: { event: StationClosed, emit: { table: stations, on: delete }, payload: { station_id: nanoid } }
  network.train.{id}.planned: { event: TrainPlanned, emit: { table: trains, on: insert }, payload: &train { train_id: nanoid, line: string, top_speed: { from: speed }, weight: decimal, state: string } }
  network.train.{id}.changed: { event: TrainChanged, emit: { table: trains, on: update }, payload: *train }
  network.train.{id}.delayed: { event: TrainDelayed, emit: { table: trains, on: update, of: [delay] }, payload: { train_id: nanoid, delay: integer, line: string } }
  network.train.{id}.left: { event: TrainLeft, emit: { table: trains, at: leaves_at, unless: { state: ended } }, payload: { train_id: nanoid, line: string } }
  network.train.{id}.removed: { event: TrainRemoved, emit: { table: trains, on: delete }, payload: { train_id: nanoid } }
  network.platform.{id}.built: { event: PlatformBuilt, emit: { table: platforms, on: insert }, payload: { station_id: nanoid, number: integer, length: decimal } }
  booking.ticket.{id}.sold: { event: TicketSold, emit: { table: tickets, on: insert }, payload: &ticket { ticket_id: nanoid, state: string, cents: integer, holder: { from: traveller }, legs: { from: legs, type: "Leg[]?" } } }
  booking.ticket.{id}.changed: { event: TicketChanged, emit: { table: tickets, on: update }, payload: *ticket }
  booking.ticket.{id}.expired: { event: TicketExpired, emit: { table: tickets, at: ends_at, unless: { state: used } }, payload: { ticket_id: nanoid, state: string } }
  booking.ticket.{id}.gone: { event: TicketGone, emit: { table: tickets, on: delete }, payload: { ticket_id: nanoid } }
  booking.ticket.{id}.quoted: { event: TicketQuoted, payload: { fare: Fare, ways: "Leg[]", note: { type: string, maxLength: 80 } } }
  tariff.fare.{id}.set: { event: FareSet, change: update, payload: { fare_id: string, cents: integer, valid: boolean? } }
  tariff.fare.{id}.ended: { event: FareEnded, change: delete, payload: { fare_id: string } }
cascades:
  - { on: network.train.removed, service: booking, delete: tickets.train_id }
  - { on: network.train.removed, service: booking, delete: seats.train_id }
  - { on: network.station.closed, service: booking, delete: tickets.from_id }
  - { on: booking.ticket.gone, service: gate, delete: passes.ticket_id }
`;
