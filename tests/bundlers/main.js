// A program as its bundlers see it: the library and the widget by the package's name.

import { PageLM } from "pagelm";
import "pagelm/page-lm.js";

async function run() {
  const lm = await PageLM.load("/models/SmolLM2-135M-Instruct.Q4_1.gguf");
  const answer = await lm.completions.create({ prompt: "The capital of France is", max_tokens: 4, temperature: 0 });
  await customElements.whenDefined("page-lm");
  const widget = document.createElement("page-lm");
  widget.setAttribute("model", "/models/SmolLM2-135M-Instruct.Q4_1.gguf");
  widget.setAttribute("temperature", "0");
  document.body.append(widget);
  widget.open();
  await widget.load();
  return { text: answer.choices[0]?.text, threads: lm.info.threads, answer: await widget.ask("Name the capital of France.") };
}

Object.assign(globalThis, { outcome: run().catch((error) => ({ error: `${error.code ?? error.name}: ${error.message}` })) });
