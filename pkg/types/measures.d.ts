// What a model makes of a text, and where its time goes.

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
    /** Counts as `gate_up` where one token runs through a dense layer without biases. */
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
