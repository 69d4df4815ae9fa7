/**
 * The highest version that an event may have, in its schema, in SQL and here. Half of 2^53: versions that are counted on from it are
 * still exact as doubles, so no event can put an entity where its versions no longer rise.
 */
export const HIGHEST_VERSION = 2 ** 52;

/** A counter above this was not reached by counting: at an event per microsecond that takes seventy years. */
export const PLAUSIBLE_VERSION = 2 ** 51;
