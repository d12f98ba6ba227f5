// Saved sessions.

/** Saved sessions: what is in the KV cache, kept in IndexedDB. */
export interface Sessions {
  /**
   * Keeps what is in the cache now, which is the last request's prompt and answer, under a
   * name; one of that name is replaced. `data` is kept beside it: the messages, say. Where
   * tabs share the engine, another tab may have asked since: then nothing is saved.
   *
   * @throws {PageLMError} `session_displaced`, `storage_full`, `storage_unavailable`
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
