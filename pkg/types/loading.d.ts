// Models: how they are loaded and stored, and what is loaded.

/** The type of the KV cache's elements. */
export type KvType = "f32" | "f16" | "q8";

/** Which of the three binaries: plain SIMD, relaxed SIMD, relaxed SIMD with threads. */
export type Variant = "simd" | "relaxed" | "threads";

/** Where the browser keeps models: in IndexedDB, or in files of the origin private file system. */
export type StorageBackend = "indexeddb" | "opfs";

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
   * How keys and values are kept. Default: `"f16"`. `"q8"` takes half the memory and is about
   * twice as fast at long contexts, with small errors. `"f32"`
   * takes twice the memory.
   */
  kv_cache?: KvType | undefined;
  /** Takes this binary. By default the best that the browser can run. */
  variant?: Variant | undefined;
  /** `false` neither reads nor writes the browser's store: the model runs from memory only. Default: `true`. */
  cache?: boolean | undefined;
  /**
   * Where a model is stored that is not stored yet; one that is stays where it is. From files
   * Chromium has the first token a fifth sooner. Where a browser has none, IndexedDB serves:
   * `Info.storage` tells. Default: `"indexeddb"`.
   */
  storage?: StorageBackend | undefined;
  /**
   * Address of a `tokenizer.json` that takes the place of the model's own tokenizer: for a model
   * that has none, or one that does not run here. Which tokens end an answer, and the chat
   * template, stay the model's. It is stored with the model, and removed with it; a model may
   * have several. One that is none, or has more tokens, is refused as `bad_tokenizer` before
   * weights are fetched.
   */
  tokenizer?: string | URL | undefined;
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
   * - `start`: the worker starts;
   * - `wait`: another tab stores this model just now;
   * - `resume`: what an earlier load has stored is read;
   * - `download`: the file comes from the server, and is stored and packed on the way;
   * - `retry`: the server did not answer well, and is asked again in a moment: see `retry`;
   * - `repair`: a damaged record of the stored copy is fetched again;
   * - `cache`: the model comes from the browser's store;
   * - `pack`: everything has come and is being made ready.
   */
  phase: "start" | "wait" | "resume" | "download" | "retry" | "repair" | "cache" | "pack";
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
  /** Where it is stored; null if it runs from memory only. */
  readonly storage: StorageBackend | null;
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
export type PreflightOptions = Pick<LoadOptions, "context" | "kv_cache" | "cache" | "tokenizer" | "signal">;

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
  /** Bytes stored; those of its `tokenizer.json` count, if one was given. */
  bytes: number;
  /** Bytes of the whole model; null where the server has not told. */
  total: number | null;
  /** Whether it is whole. The next load of one that is not goes on where it ended. */
  complete: boolean;
  /** When it was last loaded, in milliseconds since 1970. */
  last_used: number;
  /** Where it is stored. */
  storage: StorageBackend;
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
