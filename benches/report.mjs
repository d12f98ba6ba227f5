// From samples to medians, ranges and ratios, as an object and as tables.

/**
 * @param {object} run
 * @param {object[]} run.scenarios
 * @param {object[]} run.engines
 * @param {object[]} run.measures
 * @param {object[]} run.samples   { scenario, engine, measure, round, value } or { …, failed }
 * @param {object[]} run.bandwidth { scenario, round, value } in GB/s
 * @param {Record<string, object>} run.infos  what an engine said of itself, by `scenario/engine`
 * @param {number} run.bytes of the model's file
 * @returns {object[]} one for each scenario: its engines, each with its measures, and the read bandwidth
 */
export function summarise({ scenarios, engines, measures, samples, bandwidth, infos, bytes }) {
  return scenarios.map((scenario) => {
    const own = samples.filter((sample) => sample.scenario === scenario.name);
    const ceiling = range(bandwidth.filter((sample) => sample.scenario === scenario.name));
    const rows = engines.map(({ name, title, ownFile }) => {
      const of = (measure) => outcome(own.filter((sample) => sample.engine === name && sample.measure === measure.name));
      const results = Object.fromEntries(measures.map((measure) => [measure.name, of(measure)]));
      return { name, title, info: infos[`${scenario.name}/${name}`], results, share: ownFile ? undefined : share(results["decode-short"], bytes, ceiling) };
    });
    compare(rows, measures);
    return { ...scenario, bandwidth: ceiling, engines: rows };
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What one engine reached in one measure, or why it did not; undefined where it was not tried. */
function outcome(samples) {
  const failure = samples.find(({ failed }) => failed);
  const good = samples.filter(({ failed }) => !failed);
  if (good.length === 0) return failure && { failed: failure.failed };
  return { ...range(good), ...(failure && { failed: failure.failed }) };
}

function range(samples) {
  const values = samples.map(({ value }) => value);
  return values.length === 0 ? undefined : { median: median(values), min: Math.min(...values), max: Math.max(...values), runs: values.length };
}

/** Of what could be read in that time, the part that decoding read: the whole file for every token. */
function share(decode, bytes, ceiling) {
  return decode?.median && ceiling ? (decode.median * bytes) / (ceiling.median * 1e9) : undefined;
}

/** ratio: how many times better pagelm is. */
function compare(rows, measures) {
  const ours = rows.find(({ name }) => name === "pagelm")?.results;
  if (!ours) return;
  for (const { name, results } of rows) {
    for (const measure of measures) {
      const [mine, theirs] = [ours[measure.name]?.median, results[measure.name]?.median];
      if (name === "pagelm" || !mine || !theirs) continue;
      results[measure.name].ratio = measure.higher ? mine / theirs : theirs / mine;
    }
  }
}

/** Characters of a reason in a cell; the JSON has all of it. */
const LONGEST_REASON = 60;

/** All of it as a Markdown document, a table for each scenario. */
export function markdown({ date, machine, browser, settings, leftOut, measures, summary }) {
  return [
    `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.platform}; Chromium ${browser}, headless.`,
    `${settings.model}, context of ${settings.context}, ${settings.decodeTokens} tokens decoded; ${settings.rounds === 1 ? "1 round" : `${settings.rounds} rounds`} in alternation, median (min to max).`,
    `× n: pagelm is n times as fast, or needs an n-th.`,
    "",
    ...summary.flatMap((scenario) => [...table(scenario, measures), ""]),
    ...notes(summary),
    ...leftOut,
    "",
  ].join("\n");
}

function table({ title, threads, bandwidth, engines }, measures) {
  const shown = measures.filter(({ name }) => engines.some(({ results }) => results[name]));
  const row = (head, cell) => `| ${head} | ${engines.map(cell).join(" | ")} |`;
  return [
    `### ${title}`,
    "",
    row("", ({ title }) => title),
    `|---|${engines.map(() => "---|").join("")}`,
    row("binary, threads", ({ info }) => (info ? `${info.variant}, ${info.threads}` : "–")),
    ...shown.map((measure) => row(measure.title, ({ results }) => cell(results[measure.name], measure.digits))),
    ...(bandwidth ? [row("decode's share of the read bandwidth", ({ share }) => (share ? `${(share * 100).toFixed(0)} %` : "–"))] : []),
    "",
    ...(bandwidth ? [`Read bandwidth from wasm, ${threads === 1 ? "1 worker" : `${threads} workers`}: ${cell(bandwidth, 1)} GB/s.`] : []),
  ];
}

function cell(result, digits) {
  if (!result) return "–";
  const { median, min, max, ratio, failed } = result;
  const failure = `failed: ${failed?.replaceAll("|", "/").slice(0, LONGEST_REASON)}`;
  if (median === undefined) return failure;
  const [low, high] = [min.toFixed(digits), max.toFixed(digits)];
  const spread = low === high ? "" : ` (${low} to ${high})`;
  const times = ratio === undefined ? "" : `, × ${ratio.toFixed(ratio < 1 ? 2 : 1)}`;
  return `${median.toFixed(digits)}${spread}${times}${failed ? `; then ${failure}` : ""}`;
}

function notes(summary) {
  if (!summary.some(({ bandwidth }) => bandwidth)) return [];
  return ["The share counts the whole file once for every token decoded at short context, against what workers read of 128 MiB in the same scenario."];
}
