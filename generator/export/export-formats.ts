/** What a mesh is exported as, for the tools of others. */
export const exportFormats = ["asyncapi", "openapi", "jsonschema", "backstage", "nats-accounts"] as const;
export type ExportFormat = (typeof exportFormats)[number];
