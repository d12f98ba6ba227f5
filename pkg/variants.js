// The three binaries, and which of them this browser can run.

import { unsupportedBrowser } from "./errors.js";

/** The binaries, the best first. */
const VARIANTS = {
  threads: { runs: runsThreads, needs: "relaxed SIMD and a page that is cross-origin isolated (by the headers COOP and COEP)" },
  relaxed: { runs: runsRelaxed, needs: "relaxed SIMD" },
  simd: { runs: runsSimd, needs: "WebAssembly SIMD" },
};

const BINARY = {
  threads: new URL("./wasm/threads/pagelm_bg.wasm", import.meta.url),
  relaxed: new URL("./wasm/relaxed/pagelm_bg.wasm", import.meta.url),
  simd: new URL("./wasm/simd/pagelm_bg.wasm", import.meta.url),
};

/**
 * The binary to run: the one asked for, or the best. One thread needs no shared
 * memory, so `threads: 1` alone takes the binary without.
 *
 * @throws {PageLMError} `unsupported_browser`
 */
export function chooseVariant(asked, threads) {
  if (asked !== undefined) {
    const { runs, needs } = VARIANTS[asked];
    if (!runs()) throw unsupportedBrowser(`the variant "${asked}" needs ${needs}`, "Leave `variant` away to take the best that there is");
    return asked;
  }
  const usable = Object.keys(VARIANTS).filter((variant) => variant !== "threads" || threads > 1);
  const best = usable.find((variant) => VARIANTS[variant].runs());
  if (!best) throw unsupportedBrowser(`it needs ${VARIANTS.simd.needs}`, "Use a current version of Chrome, Edge, Firefox or Safari");
  return best;
}

/**
 * Compiles a binary while it arrives.
 *
 * @param {string} variant
 * @param {(whole: boolean) => void} onArrival  hears of its bytes: that some came, and of their end
 */
export async function compile(variant, onArrival) {
  const response = await fetch(BINARY[variant]);
  if (!response.ok) throw new Error(`${BINARY[variant]} was answered with ${response.status}`);
  follow(response.clone(), onArrival);
  // Streaming asks for the right MIME type, which not every static server knows.
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Whoever compiles the answer meets its failures; here they only end it. */
async function follow({ body }, onArrival) {
  try {
    const reader = body.getReader();
    while (!(await reader.read()).done) onArrival(false);
  } catch {
    // As above.
  }
  onArrival(true);
}

function runsSimd() {
  return WebAssembly.validate(probe(SPLAT));
}

function runsRelaxed() {
  return WebAssembly.validate(probe([...SPLAT, ...SPLAT, ...SPLAT, ...RELAXED_DOT_ADD]));
}

function runsThreads() {
  return Boolean(globalThis.crossOriginIsolated) && typeof SharedArrayBuffer === "function" && runsRelaxed();
}

/** i32.const 0, i8x16.splat */
const SPLAT = [0x41, 0x00, 0xfd, 0x0f];
/** i32x4.relaxed_dot_i8x16_i7x16_add_s, opcode 0x113 */
const RELAXED_DOT_ADD = [0xfd, 0x93, 0x02];

/** A module with one function () -> v128 of this code. All lengths are below 128. */
function probe(code) {
  const body = [0x00, ...code, 0x0b];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x01, 0x60, 0x00, 0x01, 0x7b]),
    ...section(3, [0x01, 0x00]),
    ...section(10, [0x01, body.length, ...body]),
  ]);
}

function section(id, content) {
  return [id, content.length, ...content];
}
