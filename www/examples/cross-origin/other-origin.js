// Takes the widget and the model from the other name of this machine.

const other = new URL("../../", location.href);
other.hostname = other.hostname === "localhost" ? "127.0.0.1" : "localhost";

const model = new URL("models/SmolLM2-135M-Instruct.Q4_1.gguf", other);
document.querySelector("page-lm").setAttribute("model", model.href);
await import(new URL("pkg/page-lm.js", other).href);
