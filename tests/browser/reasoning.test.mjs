// What a model thinks before it answers comes apart from the answer, through the whole engine:
// the model's own template and tokens, tags that are cut anywhere by tokens, streamed or whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recitingLlama, writeGguf } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();

const TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}: {{ m.content.split('</think>')[-1] }}<|im_end|>{% endfor %}";
const [IM_START, GREATER] = [257, ">".charCodeAt(0)];
const THOUGHT = ["\n", "Blue", " light", " scatters", " </", "b>", " most.", "\n</th", "ink", ">\n\nBecause"];
const ANSWER = [" blue", " is", " <think>", "scattered", "."];
const CASES = [
  {
    title: "a model that opens its reasoning itself",
    model: recitingLlama(IM_START, ["<thi", "nk>", ...THOUGHT, ...ANSWER], `${TURNS}<|im_start|>`),
    opened: "<think>",
  },
  {
    title: "a template that opens it",
    model: recitingLlama(GREATER, [...THOUGHT, ...ANSWER], `${TURNS}<|im_start|>assistant: <think>`),
    opened: "",
  },
];
const REASONING = "Blue light scatters </b> most.";
const CONTENT = "Because blue is <think>scattered.";

for (const { title, model, opened } of CASES) {
  test(title, async (t) => {
    const url = site.server.route("models/reasoning.gguf", routes.bytes(writeGguf(model)));
    const page = await site.blank(t);
    const { whole, chunks, plain } = await page.evaluate(answers, url);

    assert.equal(whole.message.reasoning_content, REASONING);
    assert.equal(whole.message.content, CONTENT);
    assert.equal(whole.finish_reason, "stop");

    const deltas = chunks.map(({ choices: [choice] }) => choice?.delta ?? {});
    const joined = (key) => deltas.map((delta) => delta[key] ?? "").join("");
    assert.equal(joined("reasoning_content"), REASONING);
    assert.equal(joined("content"), CONTENT);
    // As it comes, the thoughts before the answer.
    const at = (key) => deltas.flatMap((delta, i) => (delta[key] ? [i] : []));
    assert.ok(at("reasoning_content").length > 3 && at("content").length > 3, JSON.stringify(deltas));
    assert.ok(Math.max(...at("reasoning_content")) < Math.min(...at("content")), JSON.stringify(deltas));

    assert.equal(plain.message.reasoning_content, undefined);
    assert.equal(plain.message.content, `${opened}${[...THOUGHT, ...ANSWER].join("")}`);
  });
}

/** In the page: the answer whole, streamed, and with its reasoning left in. */
async function answers(url) {
  await load(url, { cache: false });
  const request = { messages: [{ role: "user", content: "Why?" }], max_tokens: 40, temperature: 0 };
  const create = (more) => lm.chat.completions.create({ ...request, ...more });
  return {
    whole: (await create({})).choices[0],
    chunks: await collect(create({ stream: true })),
    plain: (await create({ reasoning_format: "none" })).choices[0],
  };
}
