import { connect } from "nats";

/** One message as it travelled. */
export interface HeardEvent {
  readonly at: number;
  readonly subject: string;
  readonly body: {
    readonly metadata: { readonly version?: number; readonly source: string; readonly entity_id: string };
    readonly [field: string]: unknown;
  };
}

export interface Listener {
  readonly heard: readonly HeardEvent[];
  close(): Promise<void>;
}

/** Subscribes with the plain `nats` package, without the runtime. */
export async function listen(url: string, subjects: readonly string[]): Promise<Listener> {
  const connection = await connect({ servers: url });
  const heard: HeardEvent[] = [];
  for (const subject of subjects) {
    connection.subscribe(subject, {
      callback: (_error, message) => {
        heard.push({ at: performance.now(), subject: message.subject, body: message.json() });
      },
    });
  }
  await connection.flush();
  return { heard, close: () => connection.close() };
}
