// What is asked, with OpenAI's names.

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
  /**
   * One of OpenAI's six, or one that stands in quotes in the source of the model's chat
   * template, as `ipython` does in Llama's. Any other is a `bad_request`.
   */
  role: "system" | "developer" | "user" | "assistant" | "tool" | "function" | (string & {});
  content?: string | readonly { type: "text"; text: string }[] | null | undefined;
  /** Whatever else the model's template reads. `any`, so that interfaces without an index fit too. */
  [field: string]: any;
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
