// Tasks as completions.

import type { Usage } from "./answers.js";
import type { ChatMessage, GenerationOptions, RequestOptions, TemplateOptions } from "./requests.js";

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

/**
 * How a task that answers in text is done: any field of a request, too. Unless `variables`
 * says otherwise, a model that may reason or not does not.
 */
export interface TaskOptions extends GenerationOptions, Pick<TemplateOptions, "variables"> {
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
