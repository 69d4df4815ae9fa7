import "reflect-metadata";
import { getJetStreamTransportToken, JetstreamServerModule } from "@horizon-republic/nestjs-jetstream";
import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { EventPattern, Payload } from "@nestjs/microservices";
import { connect, RetentionPolicy } from "nats";
import pg from "pg";
import { columnsOf, count, print, rateWhen, UPSERT } from "./writer.mjs";

/* nestjs-jetstream as consumer of events that are in its stream already: a handler that does one upsert for each. */

const { NATS_URL, COPY_URL, NAME } = process.env;
const service = `${NAME}__microservice`;
const copy = new pg.Pool({ connectionString: COPY_URL, max: 4 });
await copy.query("SELECT 1");
await fillStream();
let applied = 0;

class Users {
  async apply(user) {
    await copy.query({ name: "upsert", text: UPSERT, values: columnsOf([user]) });
    applied += 1;
  }
}
const apply = Object.getOwnPropertyDescriptor(Users.prototype, "apply");
Payload()(Users.prototype, "apply", 0);
EventPattern("user.created")(Users.prototype, "apply", apply);
Controller()(Users);
class App {}
Module({
  imports: [JetstreamServerModule.forRoot({ name: NAME, servers: [NATS_URL] })],
  controllers: [Users],
})(App);

const app = await NestFactory.create(App, { logger: ["error"] });
app.connectMicroservice(app.get(getJetStreamTransportToken(NAME)), { inheritAppConfig: true });
const started = performance.now();
await app.startAllMicroservices();
print(await rateWhen(() => applied, { started, pool: copy }));

/** The stream as the transport would make it, with the events in it. */
async function fillStream() {
  const client = await connect({ servers: NATS_URL });
  const manager = await client.jetstreamManager();
  await manager.streams.add({
    name: `${service}_ev-stream`,
    subjects: [`${service}.ev.>`],
    retention: RetentionPolicy.Workqueue,
  });
  const jetstream = client.jetstream();
  for (let from = 0; from < count; from += 500) {
    const users = Array.from({ length: Math.min(500, count - from) }, (_, at) => ({
      user_id: `user-${String(from + at).padStart(16, "0")}`,
      username: `name-${from + at}`,
      display_name: `Display Name ${from + at}`,
    }));
    await Promise.all(
      users.map((user) => jetstream.publish(`${service}.ev.user.created`, JSON.stringify(user))),
    );
  }
  await client.drain();
}
