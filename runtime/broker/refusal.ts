import { isPublishable } from "../subject.js";
import { type OutgoingMessage, PublishFailed } from "./broker.js";

/** What no broker may be given: refused before anything is sent. */
export function refusePublish({ subject, id }: OutgoingMessage): PublishFailed | undefined {
  if (!isPublishable(subject)) {
    return new PublishFailed(`${JSON.stringify(subject)} is not the subject of one message`, "message");
  }
  return id === "" ? new PublishFailed(`the message on ${subject} has no id`, "message") : undefined;
}
