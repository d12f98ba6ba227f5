// Each error's way out: the one button that helps.

/** What the buttons say; the page gives each its act. */
export const REMEDIES = Object.freeze({
  retry: "Try again",
  reload: "Load the model again",
  refetch: "Delete the stored copy and download again",
  unstored: "Run without storing",
  single: "Load again with one thread",
  choose: "Choose another model",
  clear: "Start a new chat",
});

const BY_CODE = {
  network: "retry",
  thread_lost: "single",
  gguf_truncated: "retry",
  storage_unavailable: "unstored",
  storage_full: "unstored",
  storage_corrupt: "refetch",
  context_overflow: "clear",
  internal: "reload",
  worker_crashed: "reload",
  unloaded: "reload",
  engine_moved: "retry",
  digest_mismatch: "refetch",
};

const OTHER_MODEL = new Set([
  "bad_address",
  "bad_manifest",
  "gguf_bad_magic",
  "gguf_bad_version",
  "gguf_bad_header",
  "gguf_bad_metadata",
  "html_instead_of_model",
  "split_mismatch",
  "split_part_missing",
  "vocabulary_only",
  "adapter",
  "projector",
  "not_a_model",
  "masked_model",
  "unsupported_architecture",
  "unsupported_type",
  "unsupported_tokenizer",
  "bad_tokenizer",
  "missing_tensor",
  "wrong_shape",
  "template_failed",
  "too_large",
  "out_of_memory",
]);

/** Key of REMEDIES for an error of the library's, or of the browser's own. */
export function remedyFor(error) {
  if (error.code === "http_status") return fleeting(error.data?.status) ? "retry" : "choose";
  if (OTHER_MODEL.has(error.code)) return "choose";
  return BY_CODE[error.code] ?? "retry";
}

/** Statuses that may be different next time. */
function fleeting(status) {
  return status >= 500 || status === 408 || status === 429;
}
