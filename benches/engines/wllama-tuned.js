// As wllama.js, with settings that suit it better than its defaults.

import { TUNED } from "./tuned.js";
import { loadWith } from "./wllama.js";

export { decode, prefill } from "./wllama.js";

export const load = (job) => loadWith(job, TUNED);
