// Numbers as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Bytes in decimal units, as disks and download pages count: `98.4 MB`. */
export function bytes(count) {
  if (count < 1e6) return `${whole.format(Math.ceil(count / 1e3))} kB`;
  if (count < 1e9) return `${tenth.format(count / 1e6)} MB`;
  return `${tenth.format(count / 1e9)} GB`;
}

/** A whole number with its thousands apart. */
export function integer(count) {
  return whole.format(count);
}

/** Parameters of a model: `135 M`, `1.7 B`. */
export function parameters(count) {
  return count < 1e9 ? `${whole.format(count / 1e6)} M` : `${tenth.format(count / 1e9)} B`;
}

/** Tokens a second: one decimal only where it tells something. */
export function speed(tokens, milliseconds) {
  const rate = (tokens * 1000) / milliseconds;
  return `${(rate < 10 ? tenth : whole).format(rate)} tok/s`;
}

/** A span of time, as coarse as one guesses it: `40 s`, `3 min`. */
export function duration(seconds) {
  if (seconds < 1) return "a moment";
  if (seconds < 90) return `${whole.format(Math.ceil(seconds))} s`;
  if (seconds < 5400) return `${whole.format(Math.ceil(seconds / 60))} min`;
  return `${tenth.format(seconds / 3600)} h`;
}
