/** The graver first. With an error nothing is generated. */
export const severities = ["error", "warning"] as const;
export type Severity = (typeof severities)[number];
