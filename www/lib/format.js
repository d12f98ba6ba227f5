// Numbers as people read them. Written out, because the first Intl.NumberFormat
// of a page takes tens of milliseconds of its main thread.

/** Bytes in decimal units, as disks and download pages count: `98.4 MB`. */
export function bytes(count) {
  if (count < 1e6) return `${integer(Math.ceil(count / 1e3))} kB`;
  if (count < 1e9) return `${tenth(count / 1e6)} MB`;
  return `${tenth(count / 1e9)} GB`;
}

/** A whole number with its thousands apart. */
export function integer(count) {
  return count.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Parameters of a model: `135 M`, `1.7 B`. */
export function parameters(count) {
  return count < 1e9 ? `${integer(count / 1e6)} M` : `${tenth(count / 1e9)} B`;
}

/** Tokens a second: one decimal only where it tells something. */
export function speed(tokens, milliseconds) {
  const rate = (tokens * 1000) / milliseconds;
  return `${rate < 10 ? tenth(rate) : integer(rate)} tok/s`;
}

/** A span of time, as coarse as one guesses it: `40 s`, `3 min`. */
export function duration(seconds) {
  if (seconds < 1) return "a moment";
  if (seconds < 90) return `${integer(Math.ceil(seconds))} s`;
  if (seconds < 5400) return `${integer(Math.ceil(seconds / 60))} min`;
  return `${tenth(seconds / 3600)} h`;
}

function tenth(value) {
  return value.toFixed(1);
}
