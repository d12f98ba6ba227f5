// What the main thread of a page did: its long tasks as the browser reports them, without the
// time in which the thread was ready to run and another program had its core.
//
// A task's duration is wall time. On a busy machine a task of 5 ms may take 60. The kernel knows
// for how long a thread has waited for a core (Linux); it is asked every few milliseconds, so
// what the thread had to wait in a task is known within that. All else counts: what a task
// computes, and what it waits for. Elsewhere the whole duration counts.

import { read, renderersBelow } from "./processes.mjs";

/** The threshold of the Long Tasks API. */
export const LONG_TASK_MS = 50;
const LOOK_MS = 5;
/** Entries are delivered in a task of their own. */
const DELIVERY_MS = 300;

/**
 * Begins to watch a page. The function returned tells the long tasks since then, or since it
 * was last called, as `{ at, ms, waited }`: all in milliseconds, `ms` without what it waited.
 *
 * @param {import("playwright-core").Page} page
 */
export async function watchMainThread(page) {
  const delays = await runDelays(page);
  await page.evaluate((least) => {
    globalThis.longTasks = [];
    globalThis.longTaskObserver?.disconnect();
    globalThis.longTaskObserver = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) if (duration > least) globalThis.longTasks.push({ at: startTime, duration });
    });
    globalThis.longTaskObserver.observe({ entryTypes: ["longtask"] });
  }, LONG_TASK_MS);
  return async () => {
    await page.waitForTimeout(DELIVERY_MS);
    const { tasks, origin } = await page.evaluate(() => ({ tasks: globalThis.longTasks.splice(0), origin: performance.timeOrigin }));
    return tasks
      .map(({ at, duration }) => {
        const waited = delays.between(origin + at, origin + at + duration);
        return { at: Math.round(at), ms: Math.round(duration - waited), waited: Math.round(waited) };
      })
      .filter(({ ms }) => ms > LONG_TASK_MS);
  };
}

/** For how long the page's main thread has waited for a core, looked at again and again. */
async function runDelays(page) {
  if (process.platform !== "linux") return { between: () => 0 };
  const pid = await rendererOf(page);
  /** [time, milliseconds waited so far], both in milliseconds */
  const looks = [];
  const look = () => {
    const waited = runDelay(pid);
    if (waited !== undefined) looks.push([performance.timeOrigin + performance.now(), waited]);
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  page.on("close", () => clearInterval(timer));
  return { between: (from, to) => waitedBetween(looks, from, to) };
}

/**
 * How much of what was waited lies in a task, of which only its bounds are known. The kernel
 * counts a wait when it ends, and the thread ran at both bounds. So between two looks in the
 * task all counts. Across a bound it is the share of the time between the looks that lies in the
 * task: to count all would take off what the thread waited to begin its task, which may be as
 * long as a long task; to count nothing would report a short task that was interrupted just
 * before its end. But no more counts than the task's own time there, and at its end no less than
 * what has no room behind it. Looks in time make this wrong by `LOOK_MS` at most at the
 * beginning, and by a part of that at the end.
 *
 * @param {[time: number, waited: number][]} looks
 */
export function waitedBetween(looks, from, to) {
  let waited = 0;
  for (let i = 1; i < looks.length; i++) {
    const [[start, before], [end, after]] = [looks[i - 1], looks[i]];
    const inside = Math.min(end, to) - Math.max(start, from);
    if (inside <= 0) continue;
    const ended = after - before;
    const share = (ended * inside) / (end - start);
    // A wait that ended here began in the task too, if this began in it.
    waited += start >= from ? Math.max(share, ended - (end - start - inside)) : Math.min(share, inside);
  }
  return waited;
}

/** The process that shows this page: of this browser's, the one that works when the page does. */
async function rendererOf(page) {
  const ran = () => new Map(renderersBelow(process.pid).map((pid) => [pid, schedstat(pid)?.[0] ?? 0]));
  const before = ran();
  await page.evaluate(() => {
    const end = performance.now() + 100;
    while (performance.now() < end);
  });
  const worked = [...ran()].map(([pid, time]) => [pid, time - (before.get(pid) ?? 0)]);
  return worked.sort(([, a], [, b]) => b - a)[0][0];
}

function runDelay(pid) {
  const stat = schedstat(pid);
  return stat && stat[1] / 1e6;
}

/** Nanoseconds that a process's first thread has run, and has waited for a core; nothing of one that is gone. */
function schedstat(pid) {
  const text = read(`/proc/${pid}/task/${pid}/schedstat`);
  return text === "" ? undefined : text.split(" ").map(Number);
}
