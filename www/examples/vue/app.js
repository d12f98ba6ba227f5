import { createApp, h, ref } from "vue";
import "../../pkg/page-lm.js";

createApp({
  setup() {
    const assistant = ref(null);
    const asked = ref([]);
    return () => [
      h("button", { onClick: () => assistant.value.open() }, "Open the assistant"),
      h("ul", asked.value.map((text) => h("li", text))),
      h("page-lm", {
        ref: assistant,
        model: "../../models/SmolLM2-135M-Instruct.Q4_1.gguf",
        heading: "In Vue",
        system: "Answer in one sentence.",
        temperature: "0",
        greeting: "Rendered by Vue.",
        "onPage-lm-question": (event) => asked.value.push(event.detail.text),
      }),
    ];
  },
}).mount("#app");
