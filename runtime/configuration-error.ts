/** A service can never work as it is set up. Names everything that is wrong, so that it is mended in one go. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  constructor(
    readonly service: string,
    readonly problems: readonly string[],
  ) {
    const list = problems.map((problem) => `  ${problem}`).join("\n");
    super(`service "${service}" cannot start with this environment:\n${list}`);
  }
}
