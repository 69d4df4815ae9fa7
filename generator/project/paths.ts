/** The architect's file, in the folder that a command runs in. */
export const MESH_FILE = "mesh.yaml";
/** Everything that is generated, beside it. */
export const GENERATED = "generated";
