// Where the ticks of an axis stand and what is written at them: pure.

const TIME_STEPS_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** Steps of 1, 2 or 5 times a power of ten, at least `least` apart in value. */
export function niceStep(least) {
  if (!(least > 0) || !Number.isFinite(least)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of [1, 2, 5, 10]) if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

/** A range that holds all values with some room, its ends at whole steps; `count` is how many ticks may fit. */
export function niceRange(low, high, count) {
  if (!(low <= high)) return { low: 0, high: 1, step: 1 };
  const least = Math.max(Math.abs(low), Math.abs(high)) * 1e-5 || 0.5; // a line that does not move is drawn flat, not as its noise
  const room = Math.max((high - low) * 0.06, least);
  const step = niceStep((high - low + 2 * room) / Math.max(1, count));
  return { low: Math.floor((low - room) / step) * step, high: Math.ceil((high + room) / step) * step, step };
}

export function ticks(range) {
  const found = [];
  const count = Math.round((range.high - range.low) / range.step);
  for (let index = 0; index <= count; index++) found.push(range.low + index * range.step);
  return found;
}

/** Decimals that tell ticks of this step apart. */
export function decimalsOf(step) {
  return Math.min(12, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
}

export function timeTicks(from, to, count) {
  const least = (to - from) / 1000 / Math.max(1, count);
  const step = (TIME_STEPS_SECONDS.find((each) => each >= least) ?? TIME_STEPS_SECONDS.at(-1)) * 1000;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return { step, found };
}

export function timeLabel(at, step) {
  const text = new Date(at).toISOString();
  return step < 60_000 ? text.slice(11, 19) : step < 86_400_000 ? text.slice(11, 16) : text.slice(5, 10);
}
