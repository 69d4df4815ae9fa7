/** How messages say whose they are; other than `mesh` of external services alone. */
export const envelopes = ["mesh", "cloudevents", "none"] as const;
export type Envelope = (typeof envelopes)[number];
