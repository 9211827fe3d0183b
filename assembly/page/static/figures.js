// Figures as people read them. Money, prices and quantities arrive as exact decimal texts and are shown as such, digit for digit;
// floats are made of them only to place a point in a picture.

const SPACE = "\u2009"; // a thin one
const DIGIT_BLANK = "\u2007"; // as wide as a digit
const POINT_BLANK = "\u2008"; // as wide as a point

/** `1234567.8900` as `1 234 567.8900`: every digit as it came. */
export function grouped(decimal) {
  const found = /^(-?)(\d+)(\.\d+)?$/.exec(decimal);
  if (found === null) return decimal;
  const [, sign, whole, rest = ""] = found;
  const parted = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, SPACE) : whole;
  return `${sign === "-" ? "\u2212" : ""}${parted}${rest}`;
}

/** With a plus sign where it is above zero: of profits and positions. */
export function signed(decimal) {
  return Number(decimal) > 0 ? `+${grouped(decimal)}` : grouped(decimal);
}

/** A float that was a short decimal text once, as that text: never with an exponent. */
export const plain = (value) => grouped(value.toFixed(decimalsIn(value)));

const DECIMALS_MAX = 12;

/**
 * Figures of one column with blanks behind them, so that their points stand under one another: no digit is added that was not told.
 */
export function aligned(texts) {
  const behind = texts.map((text) => /^[^.]*(?:\.(\d+))?$/.exec(text)?.[1]?.length ?? 0);
  const most = Math.max(0, ...behind);
  return texts.map((text, index) => {
    if (most === behind[index] || !/\d$/.test(text)) return text;
    return `${text}${behind[index] === 0 ? POINT_BLANK : ""}${DIGIT_BLANK.repeat(most - behind[index])}`;
  });
}

export function decimalsIn(value) {
  const found = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value));
  if (found === null) return 0;
  return Math.min(DECIMALS_MAX, Math.max(0, (found[1]?.length ?? 0) - Number(found[2] ?? 0)));
}

export const signOf = (decimal) => (Number(decimal) > 0 ? "gain" : Number(decimal) < 0 ? "loss" : "even");

/** How old something is that ought to be fresh: `0.4 s`, and like a duration from ten seconds on. */
export const age = (seconds) => (seconds < 9.95 ? `${Math.max(0, seconds).toFixed(1)} s` : duration(seconds));

/** A duration: `4 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
  return `${Math.floor(whole / 86400)} d ${two(Math.floor(whole / 3600) % 24)} h`;
}

/** A running time: `00:12:07`, `2 d 00:12:07`. */
export function running(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const time = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60].map(two).join(":");
  return days > 0 ? `${days} d ${time}` : time;
}

/** How long something took: `85 µs`, `1.24 ms`, `2.50 s`. */
export function latency(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${precise(seconds * 1000)} ms`;
  return `${precise(seconds)} s`;
}

/** A time of day, UTC: `12:34:56`. */
export const timeOfDay = (milliseconds) => new Date(milliseconds).toISOString().slice(11, 19);

/** A date and time, UTC. */
export const moment = (milliseconds) => new Date(milliseconds).toISOString().replace("T", " ").slice(0, 19);

/** A name that programs use, for people: `reduce_only` as `reduce only`. */
export const words = (name) => name.replaceAll("_", " ");

export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function two(number) {
  return String(number).padStart(2, "0");
}

function precise(value) {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
