/** What every command returns: 0 fine, 1 findings (mistakes in mesh.yaml, drift, differences, dead letters), 2 usage. */
export type ExitCode = 0 | 1 | 2;

/** Something the user has to put right: printed without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  constructor(
    message: string,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
