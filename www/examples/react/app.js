import { createElement as h, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import "../../pkg/page-lm.js";

function App() {
  const assistant = useRef(null);
  const [asked, setAsked] = useState([]);
  return h(
    "div",
    null,
    h("button", { onClick: () => assistant.current.open() }, "Open the assistant"),
    h("ul", null, asked.map((text, i) => h("li", { key: i }, text))),
    h("page-lm", {
      ref: assistant,
      model: "../../models/SmolLM2-135M-Instruct.Q4_1.gguf",
      heading: "In React",
      system: "Answer in one sentence.",
      temperature: "0",
      greeting: "Rendered by React.",
      "onpage-lm-question": (event) => setAsked((before) => [...before, event.detail.text]),
    }),
  );
}

createRoot(document.querySelector("#app")).render(h(App));
