/** Where a mesh can be deployed. */
export const deployTargets = ["compose", "kubernetes"] as const;

export type DeployTarget = (typeof deployTargets)[number];
