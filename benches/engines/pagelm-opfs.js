// As pagelm.js, with the model in a file of the origin private file system.

import { load as loadFrom } from "./pagelm.js";

export { decode, prefill } from "./pagelm.js";

export const load = (job) => loadFrom(job, "opfs");
