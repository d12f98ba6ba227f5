// <pl-sidebar>: the conversations, found by search, and what can be done with
// each. Sends "chosen" with a conversation's id, "theme", "help" and "all".

import { announce } from "../lib/announce.js";
import { emit, h, iconButton } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { conversationActs } from "./conversation-acts.js";
import { openMenu } from "./menu.js";

const DAY = 86_400_000;
const SEARCH_DELAY_MS = 120;

class Sidebar extends HTMLElement {
  #archive;
  #current;
  #search = h("input", { type: "search", "aria-label": "Search conversations", placeholder: "Search", autocomplete: "off", spellcheck: false });
  #list = h("nav", { class: "talks", "aria-label": "Conversations" });
  #timer;
  #asked = 0;

  connectedCallback() {
    if (this.querySelector(".talks")) return;
    this.#search.addEventListener("input", () => this.#soon());
    this.#search.addEventListener("keydown", (event) => this.#key(event));
    this.append(
      h("div", { class: "side-search" }, icon("search"), this.#search),
      this.#list,
      h(
        "div",
        { class: "side-foot" },
        iconButton("theme", "Theme", ({ currentTarget }) => emit(this, "theme", currentTarget), { "aria-haspopup": "menu" }),
        iconButton("keyboard", "Keyboard shortcuts", () => emit(this, "help")),
        iconButton("more", "All conversations", ({ currentTarget }) => emit(this, "all", currentTarget), { "aria-haspopup": "menu" }),
      ),
    );
  }

  /** @param {import("../lib/archive.js").Archive} archive */
  start(archive) {
    this.#archive = archive;
    archive.addEventListener("change", () => this.#draw());
    return this.#draw();
  }

  /** The conversation that is shown. */
  set current(id) {
    this.#current = id;
    this.#mark();
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#draw(true), SEARCH_DELAY_MS);
  }

  async #draw(speak = false) {
    const asked = ++this.#asked;
    const query = this.#search.value.trim();
    const found = await this.#archive.search(query);
    // A later question has been asked meanwhile.
    if (asked !== this.#asked) return;
    const groups = new Map();
    for (const conversation of found) {
      const name = groupOf(conversation.updated);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(this.#row(conversation));
    }
    const parts = [...groups].map(([name, rows]) => h("section", {}, h("h2", {}, name), h("ul", {}, ...rows)));
    if (parts.length === 0) parts.push(h("p", { class: "hint" }, query ? "Nothing found." : "Conversations are kept here, in this browser alone."));
    const back = this.#place();
    this.#list.replaceChildren(...parts);
    this.#mark();
    back();
    if (speak) announce(found.length === 1 ? "1 conversation" : `${found.length} conversations`);
  }

  /** Where the focus is in the list; to be called when that is another one. */
  #place() {
    const row = document.activeElement?.closest("li");
    if (!row || !this.#list.contains(row)) return () => {};
    const rows = () => [...this.#list.querySelectorAll("li")];
    const at = rows().indexOf(row);
    const { hash } = row.querySelector("a");
    const what = document.activeElement.localName;
    return () => {
      // A conversation that is gone leaves its place to the next.
      const same = rows().find((other) => other.querySelector("a").hash === hash) ?? rows()[Math.min(at, rows().length - 1)];
      (same?.querySelector(what) ?? this.#search).focus();
    };
  }

  #row(conversation) {
    const { id, title } = conversation;
    const name = title || "New chat";
    const acts = iconButton("more", `More for ${name}`, ({ currentTarget }) => openMenu(currentTarget, conversationActs(this.#archive, conversation)), { "aria-haspopup": "menu" });
    return h("li", {}, h("a", { href: `#${id}`, dir: "auto", onclick: (event) => this.#choose(event, id) }, name), acts);
  }

  #choose(event, id) {
    // Those open another tab or window.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    emit(this, "chosen", id);
  }

  #mark() {
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.hash === `#${this.#current}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async #key(event) {
    if (event.isComposing || (event.key !== "ArrowDown" && event.key !== "Enter")) return;
    event.preventDefault();
    // What was typed last may not have been looked for yet.
    clearTimeout(this.#timer);
    await this.#draw(true);
    const first = this.#list.querySelector("a");
    if (event.key === "Enter") first?.click();
    else first?.focus();
  }
}

customElements.define("pl-sidebar", Sidebar);

function groupOf(time) {
  const today = new Date().setHours(0, 0, 0, 0);
  if (time >= today) return "Today";
  if (time >= today - DAY) return "Yesterday";
  if (time >= today - 7 * DAY) return "Last seven days";
  if (time >= today - 30 * DAY) return "Last thirty days";
  return "Older";
}
