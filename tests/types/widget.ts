// The element's types, as a page uses them. Compiled, never run.

import { PageLMElement } from "pagelm/page-lm.js";
import type { PageLMAnswer, PageLMEvents, PageLMLabels, PageLMMessage } from "pagelm/page-lm.js";

export async function use(): Promise<void> {
  const element: PageLMElement = document.createElement("page-lm");
  const labels: Partial<PageLMLabels> = { launcher: "Ask", agree: (size) => `Load ${size ?? ""}` };
  element.labels = labels;
  element.addEventListener("page-lm-answer", ({ detail }) => {
    const answer: PageLMAnswer = detail;
    show(answer.sources.map(({ title, href }) => `${title} ${href ?? ""}`).join());
  });
  const names: (keyof PageLMEvents)[] = ["page-lm-open", "page-lm-close", "page-lm-consent", "page-lm-decline", "page-lm-progress", "page-lm-ready", "page-lm-question", "page-lm-error"];
  for (const name of names) element.addEventListener(name, () => show(name));
  element.addEventListener("page-lm-error", ({ detail }) => show(detail.error.message));
  // Those of every element keep their types.
  element.addEventListener("keydown", ({ key }) => show(key));
  const heard = ({ detail }: PageLMEvents["page-lm-answer"]) => show(detail.text);
  element.addEventListener("page-lm-answer", heard);
  element.removeEventListener("page-lm-answer", heard);
  element.open();
  await element.load();
  show(await element.ask("Hello?"));
  element.stop();
  element.toggle();
  element.close();
  const messages: PageLMMessage[] = element.messages;
  // The conversation goes on as a request.
  void element.lm?.chat.completions.create({ messages });
  element.clear();
  show(`${messages.length} ${element.ready} ${element.lm?.info.threads}`);
  // @ts-expect-error the model is loaded by `load`
  element.lm = null;
}

function show(text: string): void {
  document.title = text;
}
