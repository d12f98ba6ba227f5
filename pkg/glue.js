// The glue of each binary. All three are imported as they stand, so that a bundler can put a
// worker into one file; the binaries themselves are fetched by need.

import * as relaxed from "./wasm/relaxed/pagelm.js";
import * as simd from "./wasm/simd/pagelm.js";
import * as threads from "./wasm/threads/pagelm.js";

export const GLUE = { threads, relaxed, simd };
