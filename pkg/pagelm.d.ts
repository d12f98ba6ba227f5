// The library. Its types, by subject, are in types/.

import type { ChatCompletions, Completions } from "./types/answers.js";
import type { Info, LoadOptions, Outlook, PreflightOptions, StorageRoom, StoredModel } from "./types/loading.js";
import type { Profile, Rendered, Score } from "./types/measures.js";
import type { ChatMessage, RequestOptions, TemplateOptions } from "./types/requests.js";
import type { Sessions } from "./types/sessions.js";
import type { Classification, ClassifyOptions, SummarizeOptions, TaskResult, TranslateOptions } from "./types/tasks.js";

export * from "./types/loading.js";
export * from "./types/requests.js";
export * from "./types/answers.js";
export * from "./types/measures.js";
export * from "./types/sessions.js";
export * from "./types/tasks.js";

/** A loaded model. Requests run one after the other, in the order in which they came. */
export class PageLM {
  private constructor();

  /**
   * Loads a model: from the browser's store if it is there, else from the server
   * into it. A relative `url` is resolved against the page.
   *
   * `url` is a .gguf file, the first of a split one (`…-00001-of-00005.gguf`), or the
   * `pagelm.json` that `pagelm pack` has written. A stored model is taken as it is, without
   * asking the server.
   */
  static load(url: string | URL, options?: LoadOptions): Promise<PageLM>;
  /**
   * What a model is and what memory it will take, told by its header, before its weights are
   * fetched. Rejects where `load` would at that point: with `too_large`, `unsupported_type` …
   */
  static preflight(url: string | URL, options?: PreflightOptions): Promise<Outlook>;
  /** What is in the browser's store, the last used first. */
  static models(): Promise<StoredModel[]>;
  /** Deletes a model from the store. One that is loaded goes on working. */
  static remove(url: string | URL): Promise<void>;
  /** How much room there is. With `persist`, asks the browser to keep what is stored. */
  static storage(options?: { persist?: boolean | undefined }): Promise<StorageRoom>;

  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: Completions;
  readonly sessions: Sessions;
  readonly info: Info;

  /** The tokens of a text. With `special`, special tokens are added, and recognised in it. Default: `false`. */
  tokenize(text: string, options?: { special?: boolean | undefined }): Promise<number[]>;
  /** The text of tokens. */
  detokenize(ids: Iterable<number>): Promise<string>;
  /** How many tokens a conversation is, as the model's template writes it. */
  countTokens(messages: readonly ChatMessage[], options?: TemplateOptions): Promise<number>;
  /** A conversation as the model's template writes it: what `chat.completions` gives the model. */
  render(messages: readonly ChatMessage[], options?: TemplateOptions): Promise<Rendered>;
  /** How probable a text, or a sequence of tokens, is to the model. */
  score(text: string | Iterable<number>, options?: RequestOptions): Promise<Score>;

  /**
   * Which of `labels` fits a text best, by how probable the model finds each as the answer.
   * What comes before the labels is computed once.
   */
  classify(text: string, labels: Iterable<string>, options?: ClassifyOptions): Promise<Classification>;
  /** A text in another language, in parts where it is long. */
  translate(text: string, options: TranslateOptions): Promise<TaskResult>;
  /** What is essential in a text; a long one in parts, and then the summary of these. */
  summarize(text: string, options?: SummarizeOptions): Promise<TaskResult>;

  /**
   * Where the time goes, for a prompt of `prefill` tokens (512 by default) and `decode`
   * tokens behind it (64).
   *
   * @throws {PageLMError} `context_overflow`, `unloaded`
   */
  profile(options?: { prefill?: number; decode?: number }): Promise<Profile>;
  /** Ends the model's worker and frees its memory. What is pending fails as `unloaded`, as does all that is asked later. */
  unload(): Promise<void>;
}

/** What went wrong, for programs. More codes may come. */
export type ErrorCode =
  // The file.
  | "gguf_bad_magic"
  | "html_instead_of_model"
  | "gguf_bad_version"
  | "gguf_truncated"
  | "gguf_bad_header"
  | "gguf_bad_metadata"
  | "split_mismatch"
  | "split_part_missing"
  // The model.
  | "vocabulary_only"
  | "adapter"
  | "projector"
  | "not_a_model"
  | "masked_model"
  | "unsupported_architecture"
  | "unsupported_type"
  | "missing_tensor"
  | "wrong_shape"
  | "unsupported_tokenizer"
  | "bad_tokenizer"
  | "template_failed"
  // The request.
  | "bad_request"
  | "context_overflow"
  | "aborted"
  // The network.
  | "http_status"
  | "network"
  | "digest_mismatch"
  | "bad_manifest"
  | "engine_not_loaded"
  // The browser.
  | "storage_unavailable"
  | "storage_full"
  | "storage_corrupt"
  | "too_large"
  | "out_of_memory"
  | "thread_lost"
  | "unsupported_browser"
  // Sessions.
  | "session_not_found"
  | "session_displaced"
  | "session_mismatch"
  // The engine.
  | "unloaded"
  | "engine_moved"
  | "worker_crashed"
  | "internal"
  | (string & {});

/** The error of everything here. Its message is a sentence that says what to do. */
export class PageLMError extends Error {
  constructor(code: ErrorCode, message: string, data?: Record<string, unknown>, options?: ErrorOptions);
  /** `AbortError` where the code is `aborted`, else `PageLMError`. */
  name: "PageLMError" | "AbortError";
  readonly code: ErrorCode;
  /** What the code's message is made of: `status` and `url`, `needed` and `available` … */
  readonly data: Readonly<Record<string, unknown>>;
}
