/** The type of the KV cache's elements. */
export type KvType = "f32" | "f16" | "q8";

/** Which of the three binaries: plain SIMD, relaxed SIMD, relaxed SIMD with threads. */
export type Variant = "simd" | "relaxed" | "threads";

export interface LoadOptions {
  /** Hears how far the load is, at least every 100 ms. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Ends the load. What has been stored of it stays, and the next load goes on from there. */
  signal?: AbortSignal | null | undefined;
  /** Threads, 1 to 16. By default as many as the device has, at most 4. More than one needs an isolated page. */
  threads?: number | undefined;
  /** Positions of the KV cache. By default what the model was trained for, at most 4096. */
  context?: number | undefined;
  /**
   * How keys and values are kept. Default: `"q8"`, which is the fastest at long contexts; for
   * models whose weights are not quantised `"f16"`, with twice the memory. `"f32"` takes
   * twice that.
   */
  kv_cache?: KvType | undefined;
  /** Takes this binary. By default the best that the browser can run. */
  variant?: Variant | undefined;
  /** `false` neither reads nor writes the browser's store: the model runs from memory only. Default: `true`. */
  cache?: boolean | undefined;
  /**
   * SHA-256 of the file in hexadecimal; of a model in several files, one for each. Another
   * file is refused as `digest_mismatch` and not kept; a stored copy that is another is
   * fetched anew.
   */
  sha256?: string | readonly string[] | undefined;
  /** How many attempts may bring nothing, one after the other, before the load fails. Default: 5. */
  retries?: number | undefined;
  /** Milliseconds without a byte after which a connection is tried anew. Default: 20000. */
  stall_ms?: number | undefined;
  /** MiB that are stored, checked and repaired together: what a closed tab costs at most. Up to 64. Default: 8. */
  record_mb?: number | undefined;
  /**
   * Whether tabs of this origin that load the same model in the same way share one engine.
   * One tab runs it; when that tab is closed, another takes over, and an answer of which some
   * has come fails as `engine_moved`. Default: `true`.
   */
  shared?: boolean | undefined;
  /** Asked when there is no room to store the model. Without it the load fails as `storage_full`. */
  onQuota?: ((quota: Quota) => QuotaDecision | Promise<QuotaDecision>) | undefined;
}

/** Why a model cannot be stored. */
export interface Quota {
  /** Bytes that the model still needs. */
  needed: number;
  /** Bytes available, as the browser estimates. */
  available: number;
  /** Other models in the store, the least recently used first. */
  models: StoredModel[];
}

/**
 * - `evict`: delete other models, the least recently used first, until there is room;
 * - `memory`: run from memory only;
 * - `fail`: let the load fail as `storage_full`; a list of addresses deletes these and tries again.
 */
export type QuotaDecision = "evict" | "memory" | "fail" | readonly string[];

export interface LoadProgress {
  /**
   * - `wait`: another tab stores this model just now;
   * - `resume`: what an earlier load has stored is read;
   * - `download`: the file comes from the server, and is stored and packed on the way;
   * - `retry`: the server did not answer well, and is asked again in a moment: see `retry`;
   * - `repair`: a damaged record of the stored copy is fetched again;
   * - `cache`: the model comes from the browser's store;
   * - `pack`: everything has come and is being made ready.
   */
  phase: "wait" | "resume" | "download" | "retry" | "repair" | "cache" | "pack";
  /** Bytes that are done. */
  loaded: number;
  /** Of how many; null while unknown. */
  total: number | null;
  /** In the phase `retry`. */
  retry?: {
    /** Which attempt comes next, from 1, since bytes came last. */
    attempt: number;
    /** Milliseconds until then. */
    wait_ms: number;
    /** What went wrong, as a clause. */
    reason: string;
  };
}

/** What is loaded. */
export interface Info {
  /** The name that the file gives the model. */
  readonly name: string | null;
  /** As in the file: `llama` … */
  readonly architecture: string;
  /** Weights. */
  readonly parameters: number;
  /** The type of most weights: `Q4_0` … */
  readonly quantization: string;
  /** Positions of the KV cache. */
  readonly context: number;
  /** How keys and values are kept. */
  readonly kv_cache: KvType;
  /** Keys and values of one position: twice `layers` × `heads` × `head_dim` numbers. */
  readonly kv_shape: { readonly layers: number; readonly heads: number; readonly head_dim: number };
  /** Positions that the model was trained for. */
  readonly context_train: number;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
  readonly variant: Variant;
  /** Threads at work; fewer than asked for where some could not start. */
  readonly threads: number;
  /** Bytes. */
  readonly memory: {
    /** Packed weights. */
    readonly weights: number;
    /** Keys and values of the whole context. */
    readonly kv_cache: number;
    /** Activations and tables. */
    readonly scratch: number;
    /** All of the engine's memory, these three included. */
    readonly total: number;
  };
}

/** Options of `PageLM.preflight`, which mean what they mean to `PageLM.load`. */
export type PreflightOptions = Pick<LoadOptions, "context" | "kv_cache" | "cache" | "signal">;

/** What a model's header tells. */
export interface Outlook {
  /** The name that the file gives the model. */
  readonly name: string | null;
  /** As in the file: `llama` … */
  readonly architecture: string;
  /** Weights. */
  readonly parameters: number;
  /** The type of most weights: `Q4_0` … */
  readonly quantization: string;
  /** Bytes of the file, or of all parts of a split model. */
  readonly file_bytes: number;
  /** Bytes of memory that it will take; this device has them. */
  readonly needed: number;
  /** What they are for; `context` is in positions. */
  readonly memory: { readonly weights: number; readonly kv_cache: number; readonly scratch: number; readonly context: number };
}

/** A model in the browser's store. */
export interface StoredModel {
  url: string;
  /** Bytes stored. */
  bytes: number;
  /** Bytes of the whole model; null where the server has not told. */
  total: number | null;
  /** Whether it is whole. The next load of one that is not goes on where it ended. */
  complete: boolean;
  /** When it was last loaded, in milliseconds since 1970. */
  last_used: number;
}

/** The room that this origin has in the browser's store. */
export interface StorageRoom {
  /** Bytes in use, as the browser estimates; null where it does not tell (pages without HTTPS). */
  usage: number | null;
  /** Bytes that may be in use. */
  quota: number | null;
  /** Whether the browser keeps what is stored also when the device runs short of room. */
  persisted: boolean;
}

/** How the next token is chosen, and when to end. */
export interface GenerationOptions {
  /** Tokens at most; by default as many as the context holds. */
  max_tokens?: number | null | undefined;
  /** As `max_tokens`, which it overrides. */
  max_completion_tokens?: number | null | undefined;
  /** 0 always takes the most probable token. Default: 0.8. */
  temperature?: number | null | undefined;
  /** Keeps this many of the most probable tokens; 0 keeps all. Default: 40. */
  top_k?: number | null | undefined;
  /** Keeps the fewest tokens that are this probable together. Default: 0.95. */
  top_p?: number | null | undefined;
  /** Keeps tokens at least this probable, relative to the best. Default: 0.05. */
  min_p?: number | null | undefined;
  /** Keeps the tokens whose surprise is nearest to the expected one, until they are this probable together. Default: 1. */
  typical_p?: number | null | undefined;
  /** Above 1 makes recent tokens less probable. Default: 1. */
  repetition_penalty?: number | null | undefined;
  /** How many tokens at the end count as recent. Default: 64. */
  repeat_last_n?: number | null | undefined;
  /** Taken from a token's logit for each time that the answer has it, -2 to 2. Default: 0. */
  frequency_penalty?: number | null | undefined;
  /** Taken from the logit of every token that the answer has, -2 to 2. Default: 0. */
  presence_penalty?: number | null | undefined;
  /** Added to the logits of tokens, by token id: from -100, which forbids, to 100, which forces. */
  logit_bias?: Record<string, number> | null | undefined;
  /** Keeps the surprise of the answer constant in place of `top_k`, `top_p`, `min_p` and `typical_p`: version 1 or 2. Default: 0, off. */
  mirostat?: 0 | 1 | 2 | null | undefined;
  /** The surprise to keep, in bits. Default: 5. */
  mirostat_tau?: number | null | undefined;
  /** How fast it is corrected. Default: 0.1. */
  mirostat_eta?: number | null | undefined;
  /** Above 0 makes it improbable that the text goes on as a part of it did before (DRY). Default: 0. */
  dry_multiplier?: number | null | undefined;
  /** What each further repeated token multiplies that penalty by. Default: 1.75. */
  dry_base?: number | null | undefined;
  /** So many repeated tokens cost nothing. Default: 2. */
  dry_allowed_length?: number | null | undefined;
  /** How many tokens at the end are searched; all by default. */
  dry_penalty_last_n?: number | null | undefined;
  /** Repetitions do not reach across tokens with these texts. Default: newline, `:`, `"`, `*`. */
  dry_sequence_breakers?: readonly string[] | null | undefined;
  /** How often all probable tokens but the least probable of them are removed (XTC), 0 to 1. Default: 0. */
  xtc_probability?: number | null | undefined;
  /** From which probability on a token counts as probable there. Default: 0.1. */
  xtc_threshold?: number | null | undefined;
  /** How many answers to give, 1 to 128; the prompt is computed once. With a `seed`, answer i has `seed + i`. Default: 1. */
  n?: number | null | undefined;
  /**
   * An integer. The same seed gives the same text, whatever was cached and however many
   * threads there are; by default each request has its own.
   */
  seed?: number | null | undefined;
  /** Texts that end the answer and are not part of it. */
  stop?: string | readonly string[] | null | undefined;
  /** Goes on after the model's end token. Default: `false`. */
  ignore_eos?: boolean | null | undefined;
  /** `false` computes the whole prompt, even where it begins as the last one did. Default: `true`. */
  cache_prompt?: boolean | null | undefined;
  /**
   * Draft tokens from where the last ones occurred before, and verify them in one pass; it
   * never changes the answer. Default true.
   */
  prompt_lookup?: boolean | null | undefined;
  /**
   * When the context is full: `stop` refuses a prompt that is too long and ends an answer
   * with `length`; `shift` forgets the oldest messages and tokens, never the system prompt,
   * and goes on. Default: `stop`.
   */
  context_policy?: "stop" | "shift" | null | undefined;
  /** Ends the request with the code `aborted`, also in the middle of the prompt. */
  signal?: AbortSignal | null | undefined;
  /** Hears how much of the prompt has been processed. */
  onProgress?: ((progress: PrefillProgress) => void) | null | undefined;

  /** Accepted and ignored: there is one model here, and one user. */
  model?: string | undefined;
  user?: string | undefined;
  metadata?: unknown;
  stream_options?: unknown;
}

export interface ChatMessage {
  role: "system" | "developer" | "user" | "assistant" | "tool" | (string & {});
  content?: string | readonly { type: "text"; text: string }[] | null | undefined;
  /** Whatever else the model's template reads. */
  [field: string]: unknown;
}

/** What the model's template reads besides the messages. */
export interface TemplateOptions {
  tools?: readonly unknown[] | null | undefined;
  documents?: readonly unknown[] | null | undefined;
  /** Further variables of the template: `enable_thinking` … */
  variables?: Record<string, unknown> | null | undefined;
  /** Ends the prompt with the beginning of the assistant's answer. Default: `true`. */
  add_generation_prompt?: boolean | null | undefined;
}

export interface ChatCompletionRequest extends GenerationOptions, TemplateOptions {
  messages: readonly ChatMessage[];
  /**
   * `auto`: what the model thinks before it answers comes as `reasoning_content`; `none`:
   * it is part of `content`, with its tags. Default: `auto`.
   */
  reasoning_format?: "auto" | "none" | null | undefined;
  stream?: boolean | null | undefined;
  /** Whether to tell the log-probability of each token. Default: `false`. */
  logprobs?: boolean | null | undefined;
  /** With so many of the most probable tokens at each place. Needs `logprobs`. Default: 0. */
  top_logprobs?: number | null | undefined;
}

export interface CompletionRequest extends GenerationOptions {
  /** A text, in which special tokens are recognised, or tokens. */
  prompt: string | readonly number[];
  stream?: boolean | null | undefined;
  /** Log-probabilities, with this many of the most probable tokens at each place. */
  logprobs?: number | null | undefined;
  /** Begins the answer with the prompt. Default: `false`. */
  echo?: boolean | null | undefined;
}

export interface RequestOptions {
  /** As `signal` of the request. */
  signal?: AbortSignal | null | undefined;
  /** As `onProgress` of the request. */
  onProgress?: ((progress: PrefillProgress) => void) | null | undefined;
}

/** How far the prompt is, after each chunk of it. */
export interface PrefillProgress {
  phase: "prefill";
  /** Tokens that are done, those from the cache included. */
  loaded: number;
  /** Tokens of the prompt. */
  total: number;
}

/** `stop`: the model ended its answer, or a stop text came. `length`: `max_tokens`, or the context is full and not shifted. */
export type FinishReason = "stop" | "length";

export interface Usage {
  prompt_tokens: number;
  /** The end token included. */
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: {
    /** Tokens of the prompt that were not computed again. */
    cached_tokens: number;
  };
}

export interface Timings {
  /** Milliseconds for the prompt, as far as it was not cached. */
  prefill_ms: number;
  /** Milliseconds for all tokens after it. */
  decode_ms: number;
  /** Tokens that were drafted. */
  draft_n: number;
  /** Of these, those that the model chose as well. */
  draft_n_accepted: number;
}

/** A token that could have come. */
export interface TopLogprob {
  /** The token as text; `bytes:\xf0\x9f` where it is not whole characters. */
  token: string;
  /** Its id. */
  id: number;
  /** Natural logarithm of its probability under the model's own distribution. */
  logprob: number;
  /** Its bytes in UTF-8. */
  bytes: number[] | null;
}

/** A token of an answer. */
export interface TokenLogprob extends TopLogprob {
  /** The most probable tokens at its place, the best first: `top_logprobs` of them. */
  top_logprobs: TopLogprob[];
}

/** The log-probabilities of a chat answer, or of a chunk of one. */
export interface ChatLogprobs {
  /** One entry for each token, also where it completes no text. The end token has none. */
  content: TokenLogprob[];
  refusal: null;
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Seconds since 1970. */
  created: number;
  /** The model's file name. */
  model: string;
  choices: {
    index: number;
    message: { role: "assistant"; content: string; reasoning_content?: string; refusal: null };
    /** Null unless asked for. */
    logprobs: ChatLogprobs | null;
    finish_reason: FinishReason;
  }[];
  usage: Usage;
  timings: Timings;
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: number;
    /**
     * The first chunk of a choice has the role. The last may have text, where some was held
     * back. `reasoning_content` is what a reasoning model thinks before its answer.
     */
    delta: { role?: "assistant"; content?: string; reasoning_content?: string };
    /** Of the tokens in this chunk; null unless asked for, and on the last. */
    logprobs: ChatLogprobs | null;
    /** Of a choice's last chunk; else null. */
    finish_reason: FinishReason | null;
  }[];
  /** On the last chunk. */
  usage?: Usage;
  /** On the last chunk. */
  timings?: Timings;
}

/**
 * One entry for each token. `Absent` is null with `echo`, as nothing foretells the first
 * token of all.
 */
export interface Logprobs<Absent = never> {
  /** The tokens as text; `bytes:\xf0\x9f` where one is not whole characters. */
  tokens: string[];
  /** Natural logarithms. */
  token_logprobs: (number | Absent)[];
  /** The most probable tokens by their text. */
  top_logprobs: (Record<string, number> | Absent)[];
  /** Where each token begins in the text of `tokens`. */
  text_offset: number[];
  token_ids: number[];
  /** As `top_logprobs`, by token id, the most probable first. */
  top_token_ids: ([id: number, logprob: number][] | Absent)[];
}

export interface Completion<Absent = never> {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    /** Null unless asked for. */
    logprobs: Logprobs<Absent> | null;
    finish_reason: FinishReason;
  }[];
  usage: Usage;
  timings: Timings;
}

export interface CompletionChunk<Absent = never> {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    logprobs: Logprobs<Absent> | null;
    /** Of a choice's last chunk; else null. */
    finish_reason: FinishReason | null;
  }[];
  /** On the last chunk. */
  usage?: Usage;
  /** On the last chunk. */
  timings?: Timings;
}

/**
 * An answer as it comes: a chunk for each token that completes some text, then
 * one with `finish_reason`, `usage` and `timings`. Leaving the loop aborts the
 * request. Can be read once. The model waits for a reader that is slow: at most
 * a few dozen chunks lie unread.
 */
export interface Stream<Chunk> extends AsyncIterable<Chunk> {
  /** Aborts the request. */
  readonly controller: AbortController;
  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk>;
}

export interface ChatCompletions {
  /** Answers a conversation, written by the model's own template. */
  create(request: ChatCompletionRequest & { stream: true }, options?: RequestOptions): Promise<Stream<ChatCompletionChunk>>;
  create(request: ChatCompletionRequest & { stream?: false | null | undefined }, options?: RequestOptions): Promise<ChatCompletion>;
  create(request: ChatCompletionRequest, options?: RequestOptions): Promise<ChatCompletion | Stream<ChatCompletionChunk>>;
}

export interface Completions {
  /** Continues a text, without a template. */
  create(request: CompletionRequest & { stream: true } & NoEcho, options?: RequestOptions): Promise<Stream<CompletionChunk>>;
  create(request: CompletionRequest & { stream?: false | null | undefined } & NoEcho, options?: RequestOptions): Promise<Completion>;
  create(request: CompletionRequest & { stream: true }, options?: RequestOptions): Promise<Stream<CompletionChunk<null>>>;
  create(request: CompletionRequest & { stream?: false | null | undefined }, options?: RequestOptions): Promise<Completion<null>>;
  create(request: CompletionRequest, options?: RequestOptions): Promise<Completion<null> | Stream<CompletionChunk<null>>>;
}

/** A request whose answer does not begin with the prompt. */
export interface NoEcho {
  echo?: false | null | undefined;
}

/** A conversation as the model reads it. */
export interface Rendered {
  /** What the template wrote. */
  text: string;
  tokens: number[];
}

/** How probable a text is to the model. */
export interface Score {
  /** The text's tokens, with those that the model begins with. */
  tokens: number[];
  /** ln P(token | all before), one for each token; null for the first. */
  logprobs: (number | null)[];
  /** Mean negative log-likelihood of the tokens that have others before them; NaN if there are none. */
  nll: number;
  /** e^nll */
  perplexity: number;
}

/** Where the time of one phase went. */
export interface PhaseProfile {
  tokens: number;
  /** All of the time, in milliseconds. */
  ms: number;
  /** Milliseconds of each step of the forward pass, all layers together. */
  ops: Record<
    | "embed"
    | "norm"
    | "qkv"
    | "rope"
    | "cache"
    | "attention"
    | "attention_output"
    | "gate_up"
    | "silu_mul"
    | "down"
    | "head",
    number
  >;
}

/** A measured prefill and decode. */
export interface Profile {
  prefill: PhaseProfile;
  decode: PhaseProfile;
}

/** Saved sessions: what is in the KV cache, kept in IndexedDB. */
export interface Sessions {
  /**
   * Keeps what is in the cache now, which is the last request's prompt and answer, under a
   * name; one of that name is replaced. `data` is kept beside it: the messages, say.
   *
   * @throws {PageLMError} `storage_full`, `storage_unavailable`
   */
  save(id: string, options?: { data?: unknown; signal?: AbortSignal | null | undefined }): Promise<SavedSession>;
  /**
   * Puts a session back into the cache: a prompt that begins as it does goes on from there,
   * as `usage` shows. Where another build or another `kv_cache` saved it, its tokens are
   * computed again.
   *
   * @throws {PageLMError} `session_not_found`, `session_mismatch` (another model's),
   *   `context_overflow` (it was saved with a longer context)
   */
  restore(id: string, options?: { signal?: AbortSignal | null | undefined }): Promise<RestoredSession>;
  /** What is saved in this browser, of any model, the newest first. */
  list(): Promise<SavedSession[]>;
  /** Deletes a session. */
  remove(id: string): Promise<void>;
}

export interface SavedSession {
  id: string;
  /** The model's file name. */
  model: string;
  /** Tokens in the cache. */
  tokens: number;
  /** Bytes stored. */
  bytes: number;
  /** When, in milliseconds since 1970. */
  saved: number;
}

export interface RestoredSession extends SavedSession {
  /** As it was saved. */
  data: unknown;
  /** Whether the tokens had to be computed again. */
  refilled: boolean;
}

export interface ClassifyOptions extends RequestOptions {
  /** What to do with the text, in place of our own words. */
  instruction?: string | undefined;
  /** Texts whose label is known. */
  examples?: readonly { text: string; label: string }[] | undefined;
  /** Whether to take away how probable each label is without any text. Default: `true`. */
  calibrate?: boolean | undefined;
  /** Whether to tell the messages that were asked. Default: `false`. */
  prompt?: boolean | undefined;
}

export interface Classification {
  /** The best. */
  label: string;
  /** All, the best first. */
  labels: {
    label: string;
    /** Of the labels given, with `calibrate` after that. */
    probability: number;
    /** ln P(label | prompt), as the model has it. */
    logprob: number;
  }[];
  usage: { prompt_tokens: number; cached_tokens: number };
  /** With the option `prompt`. */
  prompt?: ChatMessage[];
}

/** How a task that answers in text is done: any field of a request, too. */
export interface TaskOptions extends GenerationOptions {
  /** Hears the text so far. */
  onText?: ((text: string) => void) | undefined;
  /** Whether to tell the messages that were asked. Default: `false`. */
  prompt?: boolean | undefined;
}

export interface TranslateOptions extends TaskOptions {
  /** The language's English name. */
  to: string;
  from?: string | undefined;
}

export interface SummarizeOptions extends TaskOptions {
  /** At most so many, about. Default: 60. */
  words?: number | undefined;
}

export interface TaskResult {
  text: string;
  /** Of all requests together. */
  usage: Usage;
  /** With the option `prompt`: the messages of each request. */
  prompts?: ChatMessage[][];
}

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
