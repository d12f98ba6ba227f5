// Types of <page-lm>. Importing the module defines the element.

import type { Info, LoadProgress, PageLM, Timings, Usage } from "./pagelm.js";

/**
 * A chat with a language model that runs in the page.
 *
 * Attributes: `model`, the address of a .gguf file, which is needed; `tokenizer`, that of a
 * `tokenizer.json` in place of the model's own; `size`, its bytes, else
 * its server is asked; `system`, `greeting`, `heading`, `placeholder`, and `suggestions`
 * divided by `|`; `context`, a CSS selector of the content that answers are grounded in;
 * `inline`, in the text in place of floating over it; `side="left"`; `open`; `theme="light"`
 * or `"dark"`; `temperature`, `max-tokens`, `threads`, `context-length`.
 *
 * Slots: `launcher`, `header`; what else is inside shows until the element is defined.
 * Parts: `launcher`, `panel`, `header`, `title`, `clear`, `close`, `messages`, `message`,
 * `user`, `assistant`, `greeting`, `suggestion`, `sources`, `source`, `sheet`, `consent`,
 * `agree`, `decline`, `progress`, `cancel`, `error`, `retry`, `form`, `input`, `send`.
 * Custom properties: those of tokens.css, and `--page-lm-offset`, `--page-lm-width`,
 * `--page-lm-height`, `--page-lm-layer`.
 */
export class PageLMElement extends HTMLElement {
  /** Words of the widget that differ from the English ones. To be set before the element is connected. */
  labels: Partial<PageLMLabels>;
  /** The conversation so far, without the system prompt. */
  readonly messages: PageLMMessage[];
  /** The loaded model, for everything that the widget does not do; null before. */
  readonly lm: PageLM | null;
  /** Whether the model is loaded. */
  readonly ready: boolean;

  /** Shows the chat. */
  open(): void;
  /** Hides it; an answer under way goes on. */
  close(): void;
  toggle(): void;
  /** Forgets the conversation. */
  clear(): void;
  /** Ends the answer that is being written; what there is of it stays. */
  stop(): void;
  /** Loads the model. To call it is to say that the visitor has agreed to the download. */
  load(): Promise<void>;
  /** Asks as if the visitor had. Where the model is not loaded, the visitor is asked first. */
  ask(text: string): Promise<string>;

  addEventListener<Type extends keyof PageLMEvents>(
    type: Type,
    listener: (this: PageLMElement, event: PageLMEvents[Type]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<Type extends keyof HTMLElementEventMap>(
    type: Type,
    listener: (this: PageLMElement, event: HTMLElementEventMap[Type]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Type extends keyof PageLMEvents>(
    type: Type,
    listener: (this: PageLMElement, event: PageLMEvents[Type]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof HTMLElementEventMap>(
    type: Type,
    listener: (this: PageLMElement, event: HTMLElementEventMap[Type]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

/** A turn of the conversation. */
export interface PageLMMessage {
  role: "user" | "assistant";
  content: string;
}

/** An answer that has ended. */
export interface PageLMAnswer {
  text: string;
  /** The passages of the page that it was grounded in. */
  sources: { title: string; text: string; element: Element; href: string | null }[];
  finish_reason: "stop" | "length" | "abort";
  usage?: Usage;
  timings?: Timings;
}

/** They bubble, and leave shadow trees. */
export interface PageLMEvents {
  "page-lm-open": CustomEvent<undefined>;
  "page-lm-close": CustomEvent<undefined>;
  /** The visitor has agreed to the download. */
  "page-lm-consent": CustomEvent<undefined>;
  /** The visitor has not. */
  "page-lm-decline": CustomEvent<undefined>;
  "page-lm-progress": CustomEvent<LoadProgress>;
  "page-lm-ready": CustomEvent<{ info: Info }>;
  "page-lm-question": CustomEvent<{ text: string }>;
  "page-lm-answer": CustomEvent<PageLMAnswer>;
  "page-lm-error": CustomEvent<{ error: Error }>;
}

/** Every word that the widget says by itself. */
export interface PageLMLabels {
  launcher: string;
  title: string;
  close: string;
  clear: string;
  placeholder: string;
  send: string;
  stop: string;
  consent: string;
  download: (name: string, size: string, host: string) => string;
  stored: (name: string) => string;
  unknownSize: string;
  agree: (size: string | null) => string;
  start: string;
  decline: string;
  cancel: string;
  /** By the phase of the load; what is missing is named as `download`. */
  loading: Record<string, string>;
  of: (loaded: string, total: string | null) => string;
  reading: string;
  thinking: string;
  sources: string;
  stopped: string;
  /** Under an answer that has reached `max-tokens`, or the end of the context. */
  cut: string;
  /** In place of an answer without text. */
  empty: string;
  failed: string;
  retry: string;
  ready: string;
  you: string;
  assistant: string;
}

declare global {
  interface HTMLElementTagNameMap {
    "page-lm": PageLMElement;
  }
}
