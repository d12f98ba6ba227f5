// Our answers are what the official client's types say that answers are: a program written
// for those takes ours. Compiled, never run.

import type OpenAI from "openai";
import type { PageLM } from "pagelm";

declare function chat(completion: OpenAI.Chat.Completions.ChatCompletion): void;
declare function chatChunk(chunk: OpenAI.Chat.Completions.ChatCompletionChunk): void;
declare function text(completion: OpenAI.Completions.Completion): void;
declare function token(entry: OpenAI.Chat.Completions.ChatCompletionTokenLogprob): void;

export async function answersFit(lm: PageLM): Promise<void> {
  // A user's message may hold pictures there, which nothing here reads: these are texts.
  const messages: (OpenAI.Chat.Completions.ChatCompletionSystemMessageParam | OpenAI.Chat.Completions.ChatCompletionMessage)[] = [
    { role: "system", content: "Be brief." },
    { role: "assistant", content: "Hello", refusal: null },
  ];
  const whole = await lm.chat.completions.create({ messages, logprobs: true, top_logprobs: 2 });
  chat(whole);
  for (const entry of whole.choices[0]?.logprobs?.content ?? []) token(entry);
  for await (const chunk of await lm.chat.completions.create({ messages: [], stream: true })) chatChunk(chunk);
  text(await lm.completions.create({ prompt: "Once", logprobs: 3 }));
  for await (const chunk of await lm.completions.create({ prompt: "Once", stream: true })) void chunk;
  // The official client's requests, as far as a local model can answer them.
  const request: Pick<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming, "max_tokens" | "temperature" | "top_p" | "seed" | "stop" | "n" | "logprobs" | "top_logprobs" | "logit_bias" | "frequency_penalty" | "presence_penalty" | "user"> = {};
  await lm.chat.completions.create({ messages: [], ...request, stream: false });
}
