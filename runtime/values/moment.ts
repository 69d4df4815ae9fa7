/*
 * Moments as texts. Columns hold UTC: a text without an offset is in UTC, one with an offset is converted. PostgreSQL alone would
 * silently drop the offset for a `timestamp`, and take the session's time zone for a `timestamptz` without one.
 */

const MOMENT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(?:[Zz]|([+-])(\d{2})(?::?(\d{2}))?)?)?$/;

const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59);

/** The moment as ISO 8601 in UTC, with its fraction as written; undefined where it is no moment of the years 1 to 9999. */
export function utcText(text: string): string | undefined {
  const found = MOMENT.exec(text);
  if (found === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", sign] = found;
  const [offsetHours = "0", offsetMinutes = "0"] = found.slice(9);
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  const moment = new Date(0);
  // Date.UTC would take the year 99 for 1999.
  moment.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // A day that its month lacks has become one of the next month.
  if (moment.getUTCMonth() !== Number(month) - 1 || moment.getUTCDate() !== Number(day)) return undefined;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -1 : 1);
  moment.setUTCHours(Number(hour), Number(minute) - offset, Number(second));
  const inUtc = moment.getUTCFullYear();
  if (inUtc < 1 || inUtc > 9999) return undefined;
  // A column rounds to microseconds: here into the year 10000.
  if (moment.getTime() === LAST_SECOND && Number(`0${fraction}`) >= 0.9999995) return undefined;
  return `${moment.toISOString().slice(0, 19)}${fraction}Z`;
}
