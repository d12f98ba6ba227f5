//! Chat templates: from OpenAI-style messages to the prompt's text.
//!
//! A model carries its template as Jinja source (`tokenizer.chat_template` in
//! GGUF). It is rendered as Python's jinja2 does it with the settings of Hugging
//! Face's `apply_chat_template`: `trim_blocks`, `lstrip_blocks`, one trailing
//! newline of the template dropped, loop controls, no escaping, and the names
//! `raise_exception`, `strftime_now`, `tojson`, `{% generation %}`.
//!
//! A template is untrusted code out of a model file. What it may spend is
//! bounded by the constants here; it reads nothing but the variables given.

mod clock;
mod content;
mod environment;
mod filters;
mod generation;
mod json;
mod limits;
mod methods;
mod percent;
mod reasoning;
mod roles;
mod template;

pub use limits::{MAX_FUEL, MAX_OUTPUT_BYTES, MAX_RECURSION, MAX_TEMPLATE_BYTES};
pub(crate) use reasoning::overlap;
pub use reasoning::{Parts, ReasoningStream};
pub use template::{ChatTemplate, RenderInput};
