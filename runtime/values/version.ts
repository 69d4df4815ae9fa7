/**
 * The highest version that an event may carry, in its schema, in SQL and here. What counts on from it, and what is
 * added to it, is still exact as a double (2^53): no entity can be put where its versions no longer rise.
 */
export const HIGHEST_VERSION = 2 ** 52;

/** Counters beyond this were not counted there: one event a microsecond takes seventy years. */
export const PLAUSIBLE_VERSION = 2 ** 51;
