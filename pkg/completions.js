// Requests for text, answered in OpenAI's shapes.

import { ANSWER, REQUEST } from "./protocol.js";
import { abortSignal, plainRequest } from "./request.js";
import { Stream } from "./stream.js";

/** `lm.completions`: raw text, no template. */
export class Completions {
  #connection;
  #model;

  constructor(connection, model) {
    this.#connection = connection;
    this.#model = model;
  }

  /** As OpenAI's `completions.create`; the types are in pagelm.d.ts. */
  async create(request, options) {
    return answer(this.#connection, request, options, new TextShape(this.#model, request));
  }
}

/** `lm.chat.completions`: messages, written by the model's template. */
export class ChatCompletions {
  #connection;
  #model;

  constructor(connection, model) {
    this.#connection = connection;
    this.#model = model;
  }

  /** As OpenAI's `chat.completions.create`; the types are in pagelm.d.ts. */
  async create(request, options) {
    return answer(this.#connection, request, options, new ChatShape(this.#model));
  }
}

async function answer(connection, request, options, shape) {
  const message = { type: REQUEST.COMPLETE, request: plainRequest(request) };
  const signal = abortSignal(options?.signal ?? request.signal);
  const onProgress = options?.onProgress ?? request.onProgress;
  const report = ({ type, phase, loaded, total }) => {
    // That it waits for its turn is between us and the worker.
    if (type === ANSWER.PROGRESS && phase === "prefill") onProgress?.({ phase, loaded, total });
  };
  return request.stream ? streamed(connection, message, signal, report, shape) : whole(connection, message, signal, report, shape);
}

async function whole(connection, message, signal, report, shape) {
  const deltas = [];
  const onAnswer = (answer) => {
    report(answer);
    if (answer.type === ANSWER.DELTA) deltas.push(answer);
  };
  const done = await connection.request(message, { signal, onAnswer });
  return shape.whole(deltas, done);
}

/** Resolves once the request is accepted: a bad one is refused here, not in the stream. */
function streamed(connection, message, signal, report, shape) {
  const stream = new Stream(signal);
  return new Promise((resolve, reject) => {
    const onAnswer = (answer) => {
      resolve(stream);
      report(answer);
      // A token may bring no text yet: then there is nothing to say, unless to count it.
      if (answer.type === ANSWER.DELTA && (answer.text !== "" || answer.reasoning || answer.name !== undefined)) stream.push(shape.chunk(answer));
    };
    connection.request(message, { signal: stream.controller.signal, onAnswer }).then(
      (done) => {
        resolve(stream);
        stream.push(shape.last(done));
        stream.end();
      },
      (error) => {
        // Of these two, one has an effect: nobody has the stream before `resolve`.
        reject(error);
        stream.end(error);
      },
    );
  });
}

/** What both shapes have in common. */
class Shape {
  constructor(prefix, model) {
    this.head = {
      id: `${prefix}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`,
      created: Math.floor(Date.now() / 1000),
      model,
    };
  }

  /** The message of an answer, in one of OpenAI's objects. */
  message(object, choice, done) {
    const message = { ...this.head, object, choices: [{ index: 0, ...choice }] };
    return done ? Object.assign(message, { usage: usage(done.usage), timings: done.timings }) : message;
  }
}

class ChatShape extends Shape {
  #started = false;

  constructor(model) {
    super("chatcmpl", model);
  }

  whole(deltas, done) {
    const content = deltas.map(({ text }) => text).join("") + done.text;
    const reasoning = deltas.map(({ reasoning }) => reasoning ?? "").join("") + (done.reasoning ?? "");
    const message = { role: "assistant", content, ...(reasoning === "" ? {} : { reasoning_content: reasoning }) };
    return this.message("chat.completion", { message, logprobs: null, finish_reason: done.finish_reason }, done);
  }

  chunk(delta) {
    return this.#part(parts(delta), null);
  }

  last(done) {
    return this.#part(parts(done), done.finish_reason, done);
  }

  #part(content, finish_reason, done) {
    const delta = this.#started ? content : { role: "assistant", ...content };
    this.#started = true;
    return this.message("chat.completion.chunk", { delta, logprobs: null, finish_reason }, done);
  }
}

/** What there is of answer and reasoning. */
function parts({ text, reasoning }) {
  return { ...(text === "" ? {} : { content: text }), ...(reasoning ? { reasoning_content: reasoning } : {}) };
}

class TextShape extends Shape {
  /** Where the next token's name begins in the text of all names. */
  #offset = 0;
  #withLogprobs;

  constructor(model, request) {
    super("cmpl", model);
    this.#withLogprobs = request?.logprobs != null;
  }

  whole(deltas, done) {
    const text = deltas.map((delta) => delta.text).join("") + done.text;
    return this.message("text_completion", { text, logprobs: this.#logprobs(deltas), finish_reason: done.finish_reason }, done);
  }

  chunk(delta) {
    return this.message("text_completion", { text: delta.text, logprobs: this.#logprobs([delta]), finish_reason: null });
  }

  last(done) {
    return this.message("text_completion", { text: done.text, logprobs: null, finish_reason: done.finish_reason }, done);
  }

  /** The lists of the legacy completions, one entry for each token. */
  #logprobs(deltas) {
    if (!this.#withLogprobs) return null;
    const text_offset = deltas.map(({ name }) => {
      const start = this.#offset;
      this.#offset += name.length;
      return start;
    });
    return {
      tokens: deltas.map(({ name }) => name),
      token_logprobs: deltas.map(({ logprob }) => logprob),
      top_logprobs: deltas.map(({ logprob, top }) => (logprob === null ? null : byName(top))),
      text_offset,
      token_ids: deltas.map(({ token }) => token),
      top_token_ids: deltas.map(({ logprob, top }) => (logprob === null ? null : top.map(([id, , value]) => [id, value]))),
    };
  }
}

/** Two tokens may have one name: the first, which is the more probable, keeps it. */
function byName(top) {
  const names = new Map();
  for (const [, name, logprob] of top) if (!names.has(name)) names.set(name, logprob);
  return Object.fromEntries(names);
}

function usage({ prompt_tokens, completion_tokens, cached_tokens }) {
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens },
  };
}
