/** What every command returns: 0 fine, 1 findings (mistakes in mesh.yaml, drift, differences, dead letters), 2 usage. */
export type ExitCode = 0 | 1 | 2;
