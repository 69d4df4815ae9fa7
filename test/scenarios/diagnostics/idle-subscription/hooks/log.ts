import type { LogHooks } from "../generated/log/service.js";

export const logHooks: LogHooks = { onEvent({ subject }) {} };
