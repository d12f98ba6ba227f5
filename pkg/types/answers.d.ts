// What comes back, whole and streamed.

import type { ChatCompletionRequest, CompletionRequest, RequestOptions } from "./requests.js";

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
 * One entry for each token. `Absent` is null with `echo`, as nothing predicts the first
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
 * request. Can be read once. The model waits for a reader that is slow: not much
 * more than a hundred chunks lie unread.
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
