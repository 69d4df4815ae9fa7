import type { Broker, ConsumerPlan, PublishAck, PullSubscription } from "../../../runtime/broker/broker.js";
import type { StreamDefinition } from "../../../runtime/definition/stream-definition.js";

/** What the contract needs besides the broker, such as deleting streams, which no service does. */
export interface BrokerUnderTest {
  readonly broker: Broker;
  deleteStream(name: string): Promise<void>;
  deleteConsumer(stream: string, durable: string): Promise<void>;
  /** Closes the broker's connection and removes what was created for the test. */
  close(): Promise<void>;
}

/** State of the running test, shared by the parts of the contract. */
export interface ContractTest {
  readonly under: () => BrokerUnderTest;
  readonly broker: () => Broker;
  readonly stream: () => StreamDefinition;
  /** Stopped after the test. */
  readonly subscriptions: PullSubscription[];
  publish(id: string, action?: string): Promise<PublishAck>;
  consume(overrides?: Partial<ConsumerPlan>, prefetch?: number): Promise<PullSubscription>;
}
