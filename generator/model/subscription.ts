import type { Consumer } from "./consumer-model.js";
import type { Service } from "./service-model.js";

/** A consumer with the service that runs it. */
export interface Subscription {
  readonly service: Service;
  readonly consumer: Consumer;
}
