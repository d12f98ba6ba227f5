// From single runs to medians, ranges and ratios, as an object and as a table.

const MEASURES = {
  prefill: { title: "prefill, tok/s", of: (run) => (run.prefill.tokens / run.prefill.ms) * 1000, higher: true, digits: 1 },
  decode: { title: "decode, tok/s", of: (run) => (run.decode.tokens / run.decode.ms) * 1000, higher: true, digits: 1 },
  network: { title: "load from network, s", of: (run) => run.network / 1000, higher: false, digits: 2 },
  cache: { title: "load from cache, s", of: (run) => run.cache / 1000, higher: false, digits: 2 },
};

/** engine → measure → { median, min, max, ratio }; ratio: how many times better pagelm is. */
export function summarise(runs) {
  const engines = [...new Set(runs.map((run) => run.engine))];
  const summary = {};
  for (const engine of engines) {
    const own = runs.filter((run) => run.engine === engine);
    summary[engine] = { info: own[0].info };
    for (const [key, { of }] of Object.entries(MEASURES)) {
      const values = own.map(of).sort((a, b) => a - b);
      summary[engine][key] = { median: median(values), min: values[0], max: values.at(-1) };
    }
  }
  if (!summary.pagelm) return summary;
  for (const engine of engines.filter((name) => name !== "pagelm")) {
    for (const [key, { higher }] of Object.entries(MEASURES)) {
      const [ours, theirs] = [summary.pagelm[key].median, summary[engine][key].median];
      summary[engine][key].ratio = higher ? ours / theirs : theirs / ours;
    }
  }
  return summary;
}

/** The summary as a Markdown document of one table. */
export function markdown({ date, machine, browser, settings, summary }) {
  const keys = Object.keys(MEASURES);
  const rows = Object.entries(summary).map(([engine, row]) => {
    const cells = keys.map((key) => cell(row[key], MEASURES[key].digits));
    return `| ${engine} (${row.info.variant}, ${row.info.threads}) | ${cells.join(" | ")} |`;
  });
  return [
    `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.platform}; Chromium ${browser}, headless.`,
    `${settings.model}, ${settings.threads} threads asked for; prompt of ${settings.prefillTokens} tokens, ${settings.decodeTokens} tokens decoded; ${settings.rounds} rounds, median (min to max).`,
    "",
    `| engine (variant, threads) | ${keys.map((key) => MEASURES[key].title).join(" | ")} |`,
    `|---|${keys.map(() => "---|").join("")}`,
    ...rows,
    "",
    "× n: pagelm is n times as fast.",
    "",
  ].join("\n");
}

function cell({ median, min, max, ratio }, digits) {
  const text = `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
  return ratio === undefined ? text : `${text}, × ${ratio.toFixed(1)}`;
}

function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
