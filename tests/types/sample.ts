// A program that uses every public name of the package as its callers do. It is
// compiled, never run; `@ts-expect-error` marks what the types must refuse.

import { PageLM, PageLMError } from "pagelm";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatCompletions,
  ChatLogprobs,
  ChatMessage,
  Classification,
  ClassifyOptions,
  Completion,
  CompletionChunk,
  CompletionRequest,
  Completions,
  ErrorCode,
  FinishReason,
  GenerationOptions,
  Info,
  KvType,
  LoadOptions,
  LoadProgress,
  Logprobs,
  NoEcho,
  Outlook,
  PhaseProfile,
  PrefillProgress,
  PreflightOptions,
  Profile,
  Rendered,
  Quota,
  QuotaDecision,
  RequestOptions,
  RestoredSession,
  SavedSession,
  Score,
  Sessions,
  StorageBackend,
  StorageRoom,
  StoredModel,
  Stream,
  SummarizeOptions,
  TaskOptions,
  TaskResult,
  TemplateOptions,
  Timings,
  TokenLogprob,
  TopLogprob,
  TranslateOptions,
  Usage,
  Variant,
} from "pagelm";

const { signal } = new AbortController();

const variant: Variant = "relaxed";
const kvCache: KvType = "q8";
const storage: StorageBackend = "opfs";
const options: LoadOptions = {
  onProgress: ({ phase, loaded, total, retry }: LoadProgress) => show(`${phase} ${loaded} of ${total ?? "?"} ${retry?.reason}`),
  signal,
  threads: 2,
  context: 2048,
  kv_cache: kvCache,
  variant,
  cache: true,
  sha256: "00".repeat(32),
  retries: 3,
  stall_ms: 10_000,
  record_mb: 16,
  tokenizer: new URL("https://a.example/tokenizer.json"),
  storage,
  shared: false,
  onQuota: async ({ needed, available, models }: Quota): Promise<QuotaDecision> => (models.length > 0 && needed - available < 1e9 ? "evict" : "memory"),
};
// @ts-expect-error there are three binaries
const wrongVariant: Variant = "avx512";
// @ts-expect-error not an option
const wrongOption: LoadOptions = { treads: 2 };

export async function load(): Promise<PageLM> {
  const preflight: PreflightOptions = { context: 2048, kv_cache: kvCache, cache: false, tokenizer: "tokenizer.json", signal };
  const outlook: Outlook = await PageLM.preflight("model.gguf", preflight);
  const needs: number = outlook.needed + outlook.memory.weights + outlook.file_bytes;
  // @ts-expect-error: it runs on no threads
  void PageLM.preflight("model.gguf", { threads: 2 });
  void needs;
  const lm = await PageLM.load(new URL("https://example.org/model.gguf"), options);
  const info: Info = lm.info;
  const { architecture, parameters, quantization, context, threads, memory } = info;
  const storedIn: StorageBackend | null = info.storage;
  void storedIn;
  show(`${architecture} ${quantization} ${info.variant} ${parameters + context + threads + memory.weights + memory.kv_cache}`);
  // @ts-expect-error what is loaded does not change
  lm.info.context = 1;
  return lm;
}

export async function chat(lm: PageLM): Promise<void> {
  const messages: ChatMessage[] = [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Hello" }] },
  ];
  const generation: GenerationOptions = {
    max_tokens: 32,
    temperature: 0.2,
    top_p: 0.9,
    top_k: 40,
    min_p: 0.05,
    repetition_penalty: 1.1,
    seed: 1,
    stop: ["\n\n"],
    ignore_eos: false,
    cache_prompt: true,
    signal,
  };
  const template: TemplateOptions = { tools: [], variables: { enable_thinking: false }, add_generation_prompt: true };
  const request: ChatCompletionRequest = { messages, ...generation, ...template, n: 2, logprobs: true, top_logprobs: 5 };
  const completions: ChatCompletions = lm.chat.completions;

  const whole: ChatCompletion = await completions.create({ ...request, stream: false });
  const reason: FinishReason | undefined = whole.choices[0]?.finish_reason;
  show(`${whole.choices[0]?.message.content} ${reason}`);

  const logprobs: ChatLogprobs | null | undefined = whole.choices[0]?.logprobs;
  const token: TokenLogprob | undefined = logprobs?.content[0];
  const best: TopLogprob | undefined = token?.top_logprobs[0];
  show(`${token?.token} ${token?.bytes?.length} ${best?.id} ${best?.logprob}`);

  const stream: Stream<ChatCompletionChunk> = await completions.create({ ...request, stream: true });
  for await (const chunk of stream) {
    show(chunk.choices[0]?.delta.content ?? "");
    count(chunk.usage, chunk.timings);
  }
  stream.controller.abort();

  // A request whose `stream` is only known later may bring either.
  const either: ChatCompletion | Stream<ChatCompletionChunk> = await completions.create(request);
  show("choices" in either ? either.id : "a stream");
  show(String((await lm.countTokens(messages, template)) + 1));
  const rendered: Rendered = await lm.render(messages, template);
  show(rendered.tokens.join());

  // @ts-expect-error a whole answer is not iterated
  for await (const _ of await completions.create({ messages, stream: false }));
  // @ts-expect-error messages are objects
  await completions.create({ messages: ["hello"] });
}

export async function complete(lm: PageLM): Promise<void> {
  const request: CompletionRequest = { prompt: [1, 2, 3], max_tokens: 8, logprobs: 5, echo: true };
  const completions: Completions = lm.completions;
  const onProgress = ({ loaded, total }: PrefillProgress) => show(`prompt: ${loaded} of ${total}`);
  const requestOptions: RequestOptions = { signal, onProgress };

  const echoed: Completion<null> = await completions.create({ ...request, stream: false }, requestOptions);
  show(String(echoed.choices[0]?.logprobs?.token_logprobs[0] === null));
  const noEcho: CompletionRequest & NoEcho = { prompt: "Once", echo: false };
  const whole: Completion = await completions.create({ ...request, stream: false, echo: false });
  const logprobs: Logprobs | null | undefined = whole.choices[0]?.logprobs;
  show(`${whole.choices[0]?.text} ${logprobs?.token_logprobs[0] ?? 0} ${logprobs?.top_token_ids[0]?.[0]?.[1] ?? 0}`);

  const stream: Stream<CompletionChunk> = await completions.create({ ...noEcho, stream: true });
  for await (const { choices, usage, timings } of stream) {
    show(choices[0]?.text ?? "");
    count(usage, timings);
  }
}

export async function measure(lm: PageLM): Promise<number> {
  const tokens: number[] = await lm.tokenize("text", { special: true });
  const text: string = await lm.detokenize(new Uint32Array(tokens));
  const profile: Profile = await lm.profile({ prefill: 128, decode: 16 });
  const { ops }: PhaseProfile = profile.prefill;
  show(`${ops.attention} ms`);
  const score: Score = await lm.score(text, { signal });
  const first: number | null | undefined = score.logprobs[0];
  await lm.unload();
  return score.tokens.length * score.nll + score.perplexity + (first ?? 0);
}

export async function keep(lm: PageLM): Promise<void> {
  const sessions: Sessions = lm.sessions;
  const saved: SavedSession = await sessions.save("chat", { data: { messages: [] } });
  const { refilled, data, tokens }: RestoredSession = await sessions.restore(saved.id);
  show(`${refilled} ${JSON.stringify(data)} ${tokens} ${(await sessions.list()).length}`);
  await sessions.remove("chat");
}

export async function tasks(lm: PageLM): Promise<void> {
  const classify: ClassifyOptions = { instruction: "Good or bad?", examples: [{ text: "Fine!", label: "good" }], calibrate: false, prompt: true };
  const found: Classification = await lm.classify("Nice.", ["good", "bad"], classify);
  show(`${found.label} ${found.labels[0]?.probability} ${found.prompt?.length}`);
  const options: TaskOptions = { onText: show, prompt: true, max_tokens: 100 };
  const translate: TranslateOptions = { to: "French", variables: { enable_thinking: true }, ...options };
  const summarize: SummarizeOptions = { words: 20, signal };
  const results: TaskResult[] = [await lm.translate("Hello", translate), await lm.summarize("Long text.", summarize)];
  show(results.map(({ text, usage, prompts }) => `${text} ${usage.total_tokens} ${prompts?.length}`).join());
}

export async function tidy(): Promise<void> {
  const stored: StoredModel[] = await PageLM.models();
  const { usage, quota, persisted }: StorageRoom = await PageLM.storage({ persist: true });
  show(`${usage ?? 0} of ${quota ?? 0} ${persisted}`);
  for (const { url, bytes, total, complete, last_used } of stored) {
    show(`${bytes} of ${total ?? "?"} ${new Date(last_used).toISOString()}`);
    if (!complete) await PageLM.remove(url);
  }
}

export function explain(error: unknown): string {
  if (!(error instanceof PageLMError)) throw error;
  const code: ErrorCode = error.code;
  const known: ErrorCode[] = ["storage_full", "network", "gguf_truncated"];
  return known.includes(code) ? error.message : `${error.name} ${code} ${JSON.stringify(error.data)}`;
}

function count(usage: Usage | undefined, timings: Timings | undefined): void {
  if (!usage || !timings) return;
  const computed = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens;
  show(`${computed / timings.prefill_ms} ${usage.completion_tokens / timings.decode_ms}`);
}

function show(text: string): void {
  document.title = text;
}

export type Unused = typeof wrongVariant | typeof wrongOption;
