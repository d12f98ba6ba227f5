// Requests for text, answered in OpenAI's shapes.

import { choices, total } from "./choices.js";
import { chatLogprobs, textLogprobs } from "./logprobs.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { abortSignal, object, plainRequest } from "./request.js";
import { Stream } from "./stream.js";
import { WINDOW, readReceipts } from "./window.js";

/** `lm.completions`: raw text, no template. */
export class Completions {
  #connection;
  #model;
  /** Fields of a request where it does not have them. */
  #defaults;

  constructor(connection, model, defaults) {
    this.#connection = connection;
    this.#model = model;
    this.#defaults = defaults;
  }

  /** As OpenAI's `completions.create`; the types are in pagelm.d.ts. */
  async create(request, options) {
    return answer(this.#connection, withDefaults(request, this.#defaults), options, new TextShape(this.#model, request));
  }
}

/** `lm.chat.completions`: messages, written by the model's template. */
export class ChatCompletions {
  #connection;
  #model;
  /** Fields of a request where it does not have them. */
  #defaults;

  constructor(connection, model, defaults) {
    this.#connection = connection;
    this.#model = model;
    this.#defaults = defaults;
  }

  /** As OpenAI's `chat.completions.create`; the types are in pagelm.d.ts. */
  async create(request, options) {
    return answer(this.#connection, withDefaults(request, this.#defaults), options, new ChatShape(this.#model));
  }
}

/** A request with the model's own sampling, where it does not say. */
function withDefaults(request, defaults) {
  const given = Object.entries(object("request", request)).filter(([, value]) => value != null);
  return { ...request, ...defaults, ...Object.fromEntries(given) };
}

async function answer(connection, request, options, shape) {
  const messages = choices(plainRequest(request)).map((one) => ({ type: REQUEST.COMPLETE, request: one }));
  const signal = abortSignal(options?.signal ?? request.signal);
  const onProgress = options?.onProgress ?? request.onProgress;
  const report = ({ type, phase, loaded, total }) => {
    // That it waits for its turn is between us and the worker.
    if (type === ANSWER.PROGRESS && phase === "prefill") onProgress?.({ phase, loaded, total });
  };
  return (request.stream ? streamed : whole)(connection, messages, signal, report, shape);
}

async function whole(connection, messages, signal, report, shape) {
  const answers = [];
  const all = [];
  for (const [index, message] of messages.entries()) {
    const deltas = [];
    const onAnswer = (answer) => {
      report(answer);
      if (answer.type === ANSWER.DELTAS) deltas.push(...answer.deltas);
    };
    all.push(await connection.request(message, { signal, onAnswer }));
    answers.push(shape.of(index).whole(deltas, all.at(-1), total(all)));
  }
  return { ...answers.at(-1), choices: answers.flatMap(({ choices }) => choices) };
}

/** Resolves once the request is accepted: a bad one is refused here, not in the stream. */
function streamed(connection, messages, signal, report, shape) {
  const stream = new Stream(signal);
  return new Promise((resolve, reject) => {
    const run = async () => {
      const all = [];
      for (const [index, message] of messages.entries()) {
        const choice = shape.of(index);
        const receipts = readReceipts();
        const onAnswer = (answer) => {
          resolve(stream);
          report(answer);
          if (answer.type !== ANSWER.DELTAS) return;
          for (const delta of answer.deltas) {
            // A token may bring no text yet: then there is nothing to say, unless to count it.
            if (delta.text === "" && !delta.reasoning && delta.name === undefined) receipts.read();
            else stream.push(choice.chunk(delta), receipts.read);
          }
        };
        const { signal } = stream.controller;
        all.push(await connection.request({ ...message, window: WINDOW }, { signal, onAnswer, onStart: receipts.start }));
        stream.push(choice.last(all.at(-1), all.length === messages.length ? total(all) : null));
      }
    };
    run().then(
      () => {
        resolve(stream);
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

/** What both shapes have in common. One is made for each choice. */
class Shape {
  #index = 0;

  constructor(prefix, model) {
    this.head = {
      id: `${prefix}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`,
      created: Math.floor(Date.now() / 1000),
      model,
    };
  }

  /** The same answer's shape for the choice `index`. */
  of(index) {
    const shape = this.fresh();
    shape.head = this.head;
    shape.#index = index;
    return shape;
  }

  /** A choice in one of OpenAI's objects; with the numbers of the whole answer, if it is the last. */
  message(object, choice, total) {
    return { ...this.head, object, choices: [{ index: this.#index, ...choice }], ...total };
  }
}

class ChatShape extends Shape {
  #started = false;

  constructor(model) {
    super("chatcmpl", model);
  }

  fresh() {
    return new ChatShape();
  }

  whole(deltas, done, total) {
    const content = deltas.map(({ text }) => text).join("") + done.text;
    const reasoning = deltas.map(({ reasoning }) => reasoning ?? "").join("") + (done.reasoning ?? "");
    const message = { role: "assistant", content, ...(reasoning === "" ? {} : { reasoning_content: reasoning }), refusal: null };
    return this.message("chat.completion", { message, logprobs: chatLogprobs(deltas), finish_reason: done.finish_reason }, total);
  }

  chunk(delta) {
    return this.#part(parts(delta), chatLogprobs([delta]), null);
  }

  last(done, total) {
    return this.#part(parts(done), null, done.finish_reason, total);
  }

  #part(content, logprobs, finish_reason, total) {
    const delta = this.#started ? content : { role: "assistant", ...content };
    this.#started = true;
    return this.message("chat.completion.chunk", { delta, logprobs, finish_reason }, total);
  }
}

/** What there is of answer and reasoning. */
function parts({ text, reasoning }) {
  return { ...(text === "" ? {} : { content: text }), ...(reasoning ? { reasoning_content: reasoning } : {}) };
}

class TextShape extends Shape {
  /** Where the next token's name begins in the text of all names. */
  #offset = 0;
  #request;

  constructor(model, request) {
    super("cmpl", model);
    this.#request = request;
  }

  fresh() {
    return new TextShape(undefined, this.#request);
  }

  whole(deltas, done, total) {
    const text = deltas.map((delta) => delta.text).join("") + done.text;
    return this.message("text_completion", { text, logprobs: this.#logprobs(deltas), finish_reason: done.finish_reason }, total);
  }

  chunk(delta) {
    return this.message("text_completion", { text: delta.text, logprobs: this.#logprobs([delta]), finish_reason: null });
  }

  last(done, total) {
    return this.message("text_completion", { text: done.text, logprobs: null, finish_reason: done.finish_reason }, total);
  }

  #logprobs(deltas) {
    if (this.#request?.logprobs == null) return null;
    const logprobs = textLogprobs(deltas, this.#offset);
    for (const { name } of deltas) this.#offset += name.length;
    return logprobs;
  }
}
