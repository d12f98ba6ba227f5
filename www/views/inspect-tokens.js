// <pl-inspect-tokens>: prompt and answer as tokens, coloured by surprise; each
// with its probability and what else the model had in mind. Arrow keys move from
// token to token. Sends "choose" with the ids of an answer that takes another
// token, and "look" with the place whose choice is to be seen.

import { lossOf } from "../lib/analysis.js";
import { emit, h } from "../lib/dom.js";
import { integer } from "../lib/format.js";
import { picture, s } from "../lib/svg.js";
import { percent, surprise, visible } from "../lib/tokens.js";

const STRIP_HEIGHT = 40;
/** What the strip reaches up to at least, in nats: small surprises are to look small. */
const LEAST_TOP = 4;
/** On a phone more bars than this cannot be told apart: then each is for several tokens. */
const MOST_BARS = 80;

class InspectTokens extends HTMLElement {
  #analysis;
  #detail = h("div", { class: "token-detail", "aria-live": "polite" });
  #ids = h("button", { type: "button", class: "quiet ids", "aria-pressed": "false", onclick: () => this.#showIds() }, "Show ids");
  #buttons = [];
  #at = -1;

  /** @param {import("../lib/analysis.js").Analysis} [analysis] */
  show(analysis) {
    this.#analysis = analysis;
    this.#at = -1;
    if (!analysis) return this.replaceChildren();
    const { tokens, prompt } = analysis;
    const answer = tokens.slice(prompt);
    const loss = lossOf(answer);
    this.#buttons = tokens.map((token, i) => this.#button(token, i));
    const summary = answer.length > 0 && h("p", { class: "figures" }, figure("Tokens", integer(answer.length)), figure("Mean loss", loss.mean.toFixed(3)), figure("Perplexity", loss.perplexity.toFixed(2)));
    this.replaceChildren(
      summary || "",
      answer.length > 0 ? strip(answer, loss) : "",
      this.#detail,
      this.#ids,
      section(`Answer: ${integer(answer.length)} tokens`, this.#buttons.slice(prompt)),
      section(`Prompt: ${integer(prompt)} tokens, as the template writes it`, this.#buttons.slice(0, prompt)),
    );
    this.#select(prompt < tokens.length ? prompt : 0, false);
  }

  /** Whether each token has its id beside it. */
  #showIds() {
    const shown = this.classList.toggle("with-ids");
    this.#ids.ariaPressed = String(shown);
  }

  #button({ id, name, logprob }, i) {
    const button = h("button", { type: "button", class: "token", tabIndex: -1, title: `${id}`, onclick: () => this.#select(i), onmouseenter: () => this.#show(i), onmouseleave: () => this.#show(this.#at), onkeydown: (event) => this.#key(event, i) });
    button.textContent = visible(name);
    if (logprob !== null) button.style.setProperty("--surprise-share", `${Math.round(surprise(logprob) * 45)}%`);
    button.setAttribute("aria-label", `${visible(name)}, token ${id}${logprob === null ? "" : `, ${percent(Math.exp(logprob))}`}`);
    if (name.includes("\n")) button.classList.add("breaks");
    return button;
  }

  #select(i, focus = true) {
    this.#buttons[this.#at]?.removeAttribute("aria-current");
    if (this.#buttons[this.#at]) this.#buttons[this.#at].tabIndex = -1;
    this.#at = i;
    const button = this.#buttons[i];
    button.setAttribute("aria-current", "true");
    button.tabIndex = 0;
    if (focus) button.focus();
    this.#show(i);
  }

  #show(i) {
    const token = this.#analysis.tokens[i];
    const { id, name, logprob, top } = token;
    const known = logprob !== null;
    const rows = top.map((other) => this.#alternative(i, other));
    this.#detail.replaceChildren(
      h("p", {}, h("code", { class: "token-name" }, visible(name)), h("span", { class: "hint" }, `token ${integer(id)}, place ${integer(i)}`)),
      h("p", { class: "hint" }, known ? `Probability ${percent(Math.exp(logprob))}, surprise −ln P = ${(-logprob).toFixed(4)}` : "Nothing stands before it, so nothing predicted it."),
      rows.length > 0 ? h("ol", { class: "alternatives", "aria-label": "Most probable here" }, ...rows) : "",
      known ? h("button", { type: "button", class: "quiet strong", onclick: () => emit(this, "look", i) }, "See this choice") : "",
    );
  }

  #alternative(i, { id, logprob, name }) {
    const { tokens, prompt } = this.#analysis;
    const taken = id === tokens[i].id;
    const bar = h("span", { class: "share" });
    bar.style.setProperty("--share", `${Math.max(0.5, Math.exp(logprob) * 100)}%`);
    const words = [h("code", {}, visible(name)), bar, h("span", { class: "unseen" }, ", "), h("span", { class: "value" }, percent(Math.exp(logprob)))];
    if (taken || i < prompt) return h("li", { class: taken ? "taken" : undefined }, h("div", {}, ...words));
    const choose = () => emit(this, "choose", { ids: [...tokens.slice(prompt, i).map((token) => token.id), id] });
    return h("li", {}, h("button", { type: "button", title: "Go on from here", onclick: choose }, h("span", { class: "unseen" }, "Go on with "), ...words));
  }

  #key(event, i) {
    const rtl = getComputedStyle(this).direction === "rtl";
    const by = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const to = i + by;
    if (this.#buttons[to]) this.#select(to);
  }
}

customElements.define("pl-inspect-tokens", InspectTokens);

function figure(term, value) {
  return h("span", {}, h("small", {}, term), value);
}

function section(title, buttons) {
  if (buttons.length === 0) return "";
  const lines = buttons.flatMap((button) => (button.classList.contains("breaks") ? [button, h("br")] : [button]));
  return h("section", {}, h("h3", {}, title), h("div", { class: "tokens", dir: "auto" }, ...lines));
}

/** One bar for each token of the answer, as high as it surprised; of a long one, for the most surprising of several. */
function strip(answer, { mean }) {
  const label = `Surprise of each of ${answer.length} tokens; the mean is ${mean.toFixed(2)}, the highest ${Math.max(...answer.map(({ logprob }) => -logprob)).toFixed(2)}.`;
  const top = Math.max(LEAST_TOP, ...answer.map(({ logprob }) => -logprob));
  const each = Math.ceil(answer.length / MOST_BARS);
  const count = Math.ceil(answer.length / each);
  const bars = Array.from({ length: count }, (_, i) => {
    const most = Math.max(...answer.slice(i * each, (i + 1) * each).map(({ logprob }) => -logprob));
    const height = Math.max(1, (most / top) * STRIP_HEIGHT);
    return s("rect", { x: i, y: STRIP_HEIGHT - height, width: 0.75, height, class: "surprise" });
  });
  const y = STRIP_HEIGHT - (mean / top) * STRIP_HEIGHT;
  const line = s("line", { x1: 0, x2: count, y1: y, y2: y, class: "mean", "vector-effect": "non-scaling-stroke" });
  const image = picture(Math.max(count, 16), STRIP_HEIGHT, label, ...bars, line);
  const caption = each === 1 ? "Surprise of each token, and its mean" : `The highest surprise of each ${each} tokens, and the mean of all`;
  return h("figure", { class: "strip" }, image, h("figcaption", { class: "hint" }, caption));
}
