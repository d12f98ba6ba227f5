// Most components in their states. The content is made up: what is to be seen here
// is how it looks.

import { h, actButton, iconButton } from "./lib/dom.js";
import { RANGES } from "./lib/settings.js";
import { field, hint, slider } from "./views/fields.js";
import { fileChip } from "./views/file-chip.js";
import "./views/composer.js";
import "./views/inspect-time.js";
import "./views/inspect-tokens.js";
import "./views/message.js";
import "./views/notice.js";
import "./views/problem.js";
import "./views/progress.js";
import "./views/status-line.js";
import "./views/welcome.js";

const MODEL = { id: "smollm2", name: "SmolLM2-135M-Instruct", short: "SmolLM2", url: new URL("models/model.gguf", location.href).href, bytes: 98_362_432, licence: "Apache-2.0", source: "https://example.org/" };
const FILE = { name: "notes.txt", text: "A text.", kept: 120, total: 120 };
const CUT = { name: "a-very-long-name-of-a-file-that-does-not-fit.csv", text: "a,b", kept: 1200, total: 56_000 };
const MARKDOWN = `A paragraph with **bold**, *italic*, \`code\` and [a link](https://example.org/).

1. One
2. Two
   - Nested

> A quotation, with $e^{i\\pi} + 1 = 0$ in it.

\`\`\`js
// A comment
export const answer = (question) => \`\${question}: \${6 * 7}\`;
\`\`\`

$$\\int_{-\\infty}^{\\infty} e^{-x^2}\\,dx = \\sqrt{\\pi}$$

| Algorithm | Best | Worst |
|---|---|---|
| Quicksort | $n \\log n$ | $n^2$ |`;
const COLOURS = ["paper", "wash", "sheet", "tint", "accent-wash", "alarm-wash"];

document.documentElement.dir = new URLSearchParams(location.search).get("dir") === "rtl" ? "rtl" : "ltr";

section("Colours", h("div", { class: "swatches" }, ...COLOURS.map(swatch)));
section(
  "Buttons and fields",
  specimen("Buttons", h("div", { class: "acts" }, h("button", { class: "primary" }, "Primary"), h("button", {}, "Plain"), h("button", { disabled: true }, "Disabled"), h("button", { class: "primary danger" }, "Danger"), actButton("copy", "Quiet"), actButton("forward", "Strong", undefined, { class: "quiet strong" }), iconButton("sliders", "Icon"), iconButton("inspect", "Pressed", undefined, { "aria-pressed": "true" }))),
  specimen("Fields", field("Text", h("input", { id: "g-text", placeholder: "Placeholder" }), hint("g-hint", "A hint.")), field("Choice", h("select", { id: "g-select" }, h("option", {}, "One")))),
  specimen("Slider", valued(slider("g-slider", "Temperature", RANGES.temperature, "What it does."), 0.7)),
);
section("Welcome", specimen("Not stored", welcome()), specimen("Stored in part", welcome({ complete: false, bytes: 38e6 })), specimen("Stored", welcome({ complete: true, bytes: MODEL.bytes })), specimen("No room to store it", welcome(undefined, 21e6)), specimen("Of another site", welcome(undefined, undefined, { id: undefined })));
section("Progress", specimen("Start", progress()), specimen("Download", progress({ phase: "download", loaded: 41e6, total: 98e6 })), specimen("From this device", progress({ phase: "cache", loaded: 80e6, total: 98e6 }, true)));
section("Problem", specimen("With its remedy", problem("The server answered with 404. Check the address.", "http_status", "The model could not be loaded")), specimen("In an answer", problem("The conversation is longer than the context of 4,096 tokens.", "context_overflow")));
section(
  "Messages",
  specimen("Question", message({ role: "user", text: "Why is the sky blue?" })),
  specimen("Question with files, in two versions", message({ role: "user", text: "What do these say?", files: [FILE, CUT] }, 2)),
  specimen("Answer", message({ role: "assistant", text: MARKDOWN, model: "SmolLM2" })),
  specimen("Stopped", message({ role: "assistant", text: "It is because", state: "stopped", model: "SmolLM2" }, 3)),
  specimen("Cut off", message({ role: "assistant", text: "It is because", state: "length", model: "SmolLM2", trace: { usage: { completion_tokens: 512 } } })),
  specimen("Left by a closed page", message({ role: "assistant", text: "It is", state: "writing", model: "SmolLM2" })),
  specimen("With its reasoning", message({ role: "assistant", text: "Blue.", reasoning: "Light is scattered.", model: "Qwen3" })),
  specimen("Right to left", message({ role: "user", text: "لماذا السماء زرقاء؟" })),
);
section("Composer", specimen("Empty", composer()), specimen("With a text and files", composer("Compare these.", [FILE, CUT])), specimen("Answering", composer("", [], true)), specimen("Status", statusLine()));
section("Files", specimen("Whole, and cut", h("div", { class: "chips" }, fileChip(FILE, () => {}), fileChip(CUT, () => {}))));
section("Inspect", specimen("Tokens", tokens()), specimen("Time", time()));
document.querySelector("pl-notice").show("A new version is here.", { label: "Update", act: () => {} });
document.documentElement.dataset.ready = "yes";

function section(title, ...children) {
  document.querySelector("main").append(h("section", {}, h("h2", {}, title), ...children));
}

function specimen(name, ...children) {
  return h("div", { class: "specimen" }, h("small", {}, name), ...children);
}

function swatch(name) {
  const element = h("div", { class: "swatch" }, `--${name}`);
  element.style.background = `var(--${name})`;
  return element;
}

function valued({ element, set }, value) {
  set(value);
  return element;
}

function welcome(copy, room, more) {
  const element = h("pl-welcome", { class: "view" });
  element.show({ ...MODEL, ...more }, copy, room);
  return element;
}

function progress(update, stored = false) {
  const element = h("pl-progress", { class: "view", heading: "h3" });
  element.start(MODEL, stored);
  if (update) element.update(update);
  return element;
}

function problem(words, code, title) {
  const element = h("pl-problem", { class: "view", heading: "h3" });
  element.show(Object.assign(new Error(words), { code, data: { status: 404 } }), title);
  return element;
}

function message(fields, versions = 1) {
  const own = { id: "own", parent: null, state: "done", ...fields };
  const element = h("pl-message");
  element.show(own, [...Array.from({ length: versions - 1 }, (_, i) => ({ ...own, id: `${i}` })), own]);
  return element;
}

/** Its field has an id, as there is one in the app: here each has its own. */
function composer(text = "", files = [], busy = false) {
  const element = h("pl-composer");
  document.querySelector("main").append(element);
  for (const part of element.querySelectorAll("[id]")) part.removeAttribute("id");
  element.querySelector("label").remove();
  element.querySelector("textarea").removeAttribute("aria-describedby");
  element.querySelector("textarea").setAttribute("aria-label", "Your question");
  element.name = "SmolLM2";
  element.files = files;
  element.fill(text);
  element.busy = busy;
  return element;
}

function statusLine() {
  const element = h("pl-status-line");
  element.info = { variant: "threads", threads: 4 };
  element.context(1234, 4096);
  element.figures({ prefill: [], decode: [], cached: 0, usage: { prompt_tokens: 900, completion_tokens: 300 }, timings: { prefill_ms: 1000, decode_ms: 1500 } });
  return element;
}

function tokens() {
  const words = ["<|im_start|>", "user", "\n", "Hi", "Paris", " is", " the", " capital", "."];
  const element = h("pl-inspect-tokens", { class: "inspect-view" });
  const top = (name, id, logprob) => [{ id, name, logprob }, ...[" a", " an"].map((other, i) => ({ id: i, name: other, logprob: logprob - 1.4 * (i + 1) }))];
  const token = (name, i) => {
    const [id, logprob] = [i + 100, i === 0 ? null : -((i * 7) % 9) / 1.5 - 0.01];
    return { id, name, logprob, top: top(name, id, logprob) };
  };
  element.show({ prompt: 4, tokens: words.map(token) });
  return element;
}

function time() {
  const element = h("pl-inspect-time", { class: "inspect-view" });
  element.show({ prefill: [[64, 150], [128, 290], [150, 340]], decode: Array.from({ length: 60 }, (_, i) => 350 + i * 9 + (i % 7)), cached: 0 });
  return element;
}
