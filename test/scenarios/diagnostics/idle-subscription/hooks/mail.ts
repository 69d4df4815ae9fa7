import type { MailHooks } from "../generated/mail/service.js";
import { greet } from "./greetings.js";

export const mailHooks: MailHooks = { onUserCreated: greet, audit: { onRoleCreated() {} } };
