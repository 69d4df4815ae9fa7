import { consumer } from "./consumer.js";
import { generate } from "./generate.js";
import { relay } from "./relay.js";
import type { Section } from "./section.js";
import { snapshot } from "./snapshot.js";
import { telemetry } from "./telemetry.js";
import { trigger } from "./trigger.js";

/** In the order in which they run and are printed. A new section is a file, and a line here. */
export const sections: readonly Section[] = [consumer, relay, trigger, snapshot, telemetry, generate];
