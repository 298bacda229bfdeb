const DAY_MS = 86_400_000;
const ERA_YEARS = 400;
const ERA_DAYS = 146_097;
/** Days from 1 March of the year 0 to the epoch. */
const EPOCH_DAYS = 719_468;

export interface CalendarDay {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  /** From Sunday, which is 0. */
  readonly weekday: number;
}

/** Days from the epoch to a day of the Gregorian calendar; months and days may run over. Years begin in March here. */
export function dayNumber(year: number, month: number, day: number): number {
  const months = year * 12 + month - 1;
  const shifted = months - 2;
  const yearOfMarch = Math.floor(shifted / 12);
  const monthOfMarch = shifted - yearOfMarch * 12;
  const era = Math.floor(yearOfMarch / ERA_YEARS);
  const yearOfEra = yearOfMarch - era * ERA_YEARS;
  const dayOfYear = Math.floor((153 * monthOfMarch + 2) / 5) + day - 1;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * ERA_DAYS + yearOfEra * 365 + leapDays + dayOfYear - EPOCH_DAYS;
}

/** The day of the calendar that many days after the epoch. */
export function calendarDay(days: number): CalendarDay {
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const skipped = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - skipped) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthOfMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthOfMarch < 10 ? monthOfMarch + 3 : monthOfMarch - 9;
  return {
    year: yearOfEra + era * ERA_YEARS + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthOfMarch + 2) / 5) + 1,
    // The epoch was a Thursday.
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

/** Milliseconds from the epoch to midnight of a day. */
export function midnightMs(year: number, month: number, day: number): number {
  return dayNumber(year, month, day) * DAY_MS;
}
