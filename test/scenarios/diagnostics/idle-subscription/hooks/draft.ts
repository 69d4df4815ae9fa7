// Types alone handle nothing.
import type { Greeting } from "../src/greeting.js";

export const draftHooks = {} satisfies Record<string, Greeting>;
