/** What one service may ask of another's REST resource. */
export const callVerbs = ["get", "post", "patch", "delete"] as const;
export type CallVerb = (typeof callVerbs)[number];
