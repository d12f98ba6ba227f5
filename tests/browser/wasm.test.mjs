// What the compiler made of the kernels: that the binaries hold the instructions
// they are built for, that hot loops are not unrolled (which would multiply
// them, and make long chains and spills), and that relaxed SIMD pays.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { PROJECT } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";

/** Opcodes of relaxed SIMD, behind the prefix 0xfd. */
const MADD = 0x105;
const DOT_I16 = 0x112;
const DOT_ADD_I32 = 0x113;

test("plain SIMD has no relaxed arithmetic", () => {
  for (const opcode of [MADD, DOT_I16, DOT_ADD_I32]) assert.equal(count("simd", opcode), 0);
});

for (const variant of ["relaxed", "threads"]) {
  test(`${variant}: the dot products are there, and not unrolled`, () => {
    const [madd, i16, i32] = [MADD, DOT_I16, DOT_ADD_I32].map((opcode) => count(variant, opcode));
    assert.ok(madd >= 50, `${madd} relaxed_madd`);
    assert.ok(i16 >= 20 && i16 <= 150, `${i16} relaxed_dot_i8x16_i7x16`);
    // Each kind of scales has kernels of its own, each layout that becomes Q8 first has those of Q8 once
    // more, attention over bytes its own for each number of rows. Unrolled, there would be four times as many.
    assert.ok(i32 >= 50 && i32 <= 900, `${i32} relaxed_dot_i8x16_i7x16_add`);
  });
}

test("relaxed SIMD multiplies faster than plain SIMD", needsRealModel(), async (t) => {
  const site = await openSite();
  const pages = {};
  for (const variant of ["simd", "relaxed"]) {
    pages[variant] = await site.blank(t);
    await pages[variant].evaluate(([url, variant]) => load(url, { variant, context: 256 }).then(() => lm.profile({ prefill: 64, decode: 4 })), [site.realModel, variant]);
  }
  const best = { simd: Infinity, relaxed: Infinity };
  for (let round = 0; round < 4; round++) {
    for (const [variant, page] of Object.entries(pages)) {
      const { prefill } = await page.evaluate(() => lm.profile({ prefill: 128, decode: 1 }));
      best[variant] = Math.min(best[variant], prefill.ops.gate_up);
    }
  }
  const ratio = best.simd / best.relaxed;
  t.diagnostic(`gate and up of 128 tokens: relaxed is ${ratio.toFixed(2)} times as fast as plain SIMD`);
  assert.ok(ratio > 1.1, `only ${ratio.toFixed(2)} times`);
});

/** How often an opcode's bytes occur: its operands hardly ever look like it. */
function count(variant, opcode) {
  const wasm = readFileSync(path.join(PROJECT, "pkg/wasm", variant, "pagelm_bg.wasm"));
  const bytes = Buffer.from([0xfd, (opcode & 0x7f) | 0x80, opcode >> 7]);
  let n = 0;
  for (let at = wasm.indexOf(bytes); at >= 0; at = wasm.indexOf(bytes, at + 1)) n += 1;
  return n;
}
