// As wllama2.js, with settings that suit it better than its defaults.

import { TUNED } from "./tuned.js";
import { loadWith } from "./wllama2.js";

export { decode, prefill } from "./wllama2.js";

export const load = (job) => loadWith(job, TUNED);
