//! [`ChatTemplate`]: one model's template, parsed once.

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde_json::{Map, json};

use super::content::ContentForm;
use super::environment::{environment, template_error};
use super::limits::{CappedOutput, MAX_TEMPLATE_BYTES};
use super::reasoning::{self, ReasoningStream, Tags};
use super::{clock, generation, roles};
use crate::gguf::Metadata;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};

/// The name of the only template in an environment.
const NAME: &str = "chat_template";

/// [`ChatTemplate::plain`]'s source.
const PLAIN: &str = "\
{%- for message in messages -%}
    {%- if message.role == 'system' -%}
        {{- message.content + '\\n\\n' -}}
    {%- else -%}
        {{- message.role | capitalize + ': ' + message.content + '\\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'Assistant:' -}}{%- endif -%}";

/// What a template is rendered with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RenderInput {
    /// OpenAI-style messages: a list of objects with `role` and `content` (a text, or
    /// a list of text parts), and whatever else the template reads (`tool_calls` …).
    pub messages: serde_json::Value,
    /// Whether to end with the beginning of the assistant's answer.
    pub add_generation_prompt: bool,
    /// Further variables: `tools`, `documents`, `enable_thinking` … They may replace
    /// `bos_token` and `eos_token`, but not the two fields above.
    pub variables: Map<String, serde_json::Value>,
}

/// A chat template, parsed and ready to render.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    form: ContentForm,
    tags: Option<Tags>,
    clock: Option<fn() -> i64>,
    /// The one for requests with tools, where a model has one of its own for them.
    tool_use: Option<Box<ChatTemplate>>,
}

impl ChatTemplate {
    /// Parses a template's Jinja source. `bos` and `eos` are the texts of the model's
    /// first and last token (empty where it has none).
    ///
    /// # Errors
    /// [`Error::Template`] with the line if the source does not parse or is too long.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<ChatTemplate> {
        if source.len() > MAX_TEMPLATE_BYTES {
            let what = format!("it is longer than {MAX_TEMPLATE_BYTES} bytes");
            return Err(Error::Template { line: 0, what });
        }
        let mut environment = environment();
        environment
            .add_template_owned(NAME, generation::rewrite(source))
            .map_err(|error| template_error(&error))?;
        let mut template = ChatTemplate {
            environment,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            form: ContentForm::Either,
            tags: reasoning::tags(source),
            // The probe must not fail for want of a date.
            clock: Some(|| 0),
            tool_use: None,
        };
        template.form = ContentForm::probe(|messages| {
            let input =
                RenderInput { messages, add_generation_prompt: true, variables: Map::new() };
            template.render(&input).ok()
        });
        template.clock = None;
        Ok(template)
    }

    /// The template of a model (`tokenizer.chat_template`); `None` where it has none:
    /// then [`ChatTemplate::plain`] is for it. Of named templates
    /// (`tokenizer.chat_template.NAME`), `default` stands in for that one, and `tool_use` is
    /// taken for requests with tools, as Hugging Face does.
    ///
    /// # Errors
    /// As [`ChatTemplate::new`]; [`Error::BadMetadata`] if a key holds no string.
    pub fn from_gguf(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<Option<ChatTemplate>> {
        const KEY: &str = "tokenizer.chat_template";
        let named = |name: &str| metadata.opt_str(&format!("{KEY}.{name}"));
        let source =
            metadata.opt_str(KEY)?.map_or_else(|| named("default"), |own| Ok(Some(own)))?;
        let tool_use = named("tool_use")?;
        let Some(source) = source.or(tool_use) else { return Ok(None) };
        let mut template = Self::for_tokenizer(source, tokenizer)?;
        if let Some(tool_use) = tool_use.filter(|tool_use| *tool_use != source) {
            template.tool_use = Some(Box::new(Self::for_tokenizer(tool_use, tokenizer)?));
        }
        Ok(Some(template))
    }

    /// Parses a template for the model of this tokenizer.
    ///
    /// # Errors
    /// As [`ChatTemplate::new`].
    pub fn for_tokenizer(source: &str, tokenizer: &Tokenizer) -> Result<ChatTemplate> {
        let text = |id: Option<u32>| id.map_or_else(String::new, |id| tokenizer.decode(&[id]));
        Self::new(source, &text(tokenizer.bos()), &text(tokenizer.eos()))
    }

    /// The format for models without a template of their own: the system message and
    /// an empty line, then a line `User: ..` or `Assistant: ..` for each message, then
    /// `Assistant:` where the model is to go on.
    pub fn plain() -> ChatTemplate {
        // The source is a constant that the tests parse and render.
        Self::new(PLAIN, "", "").expect("the built-in template parses")
    }

    /// Gives templates the date: `clock` returns the seconds from 1970-01-01 00:00 to
    /// now on the local wall clock. Without it `strftime_now` is undefined, and
    /// templates that ask first fall back to a date of their own.
    pub fn set_clock(&mut self, clock: fn() -> i64) {
        self.clock = Some(clock);
        if let Some(tool_use) = &mut self.tool_use {
            tool_use.set_clock(clock);
        }
    }

    /// Separates reasoning from the answer that follows `prompt`, if this template's model
    /// reasons.
    pub fn reasoning(&self, prompt: &str) -> ReasoningStream {
        ReasoningStream::new(self.tags, prompt)
    }

    /// What the template writes behind an answer, up to the next message; `None` where it
    /// cannot be found. Its first token ends answers.
    pub(crate) fn end_of_answer(&self) -> Option<String> {
        const ANSWER: &str = "Zq7answer";
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        let messages =
            json!([message("user", "a"), message("assistant", ANSWER), message("user", "b")]);
        let input = RenderInput { messages, add_generation_prompt: false, variables: Map::new() };
        let text = self.render(&input).ok()?;
        text.split_once(ANSWER).map(|(_, end)| end.trim_start().to_owned())
    }

    /// Renders messages to the prompt's text.
    ///
    /// # Errors
    /// [`Error::BadRequest`] for messages that are none, or whose role is none; [`Error::Template`] with the
    /// line where the template fails, calls `raise_exception` (its words are the
    /// error's) or passes a limit of [`crate::chat`].
    pub fn render(&self, input: &RenderInput) -> Result<String> {
        let has_tools = || input.variables.get("tools").and_then(|tools| tools.as_array());
        if let Some(tool_use) = &self.tool_use
            && has_tools().is_some_and(|tools| !tools.is_empty())
        {
            return tool_use.render(input);
        }
        let messages = self.form.adapt(&input.messages)?;
        let failed = |error| template_error(&error);
        let template = self.environment.get_template(NAME).map_err(failed)?;
        roles::check(&messages, template.source())?;
        let mut variables: Vec<(&str, Value)> = vec![
            ("bos_token", Value::from(self.bos.as_str())),
            ("eos_token", Value::from(self.eos.as_str())),
            // Hugging Face passes these as None where the caller gives none.
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ];
        if let Some(clock) = self.clock {
            let now = move |format: &str| clock::strftime(clock(), format);
            variables.push(("strftime_now", Value::from_function(now)));
        }
        for (name, value) in &input.variables {
            variables.push((name, Value::from(Serde(value))));
        }
        variables.push(("messages", Value::from(Serde(&messages))));
        variables.push(("add_generation_prompt", Value::from(input.add_generation_prompt)));

        let mut output = CappedOutput::default();
        // Later variables replace earlier ones of the same name.
        let context = Value::from_pairs(variables);
        template.render_captured_to(context, &mut output).map_err(failed)?;
        String::from_utf8(output.0)
            .map_err(|_| Error::Internal { what: "a template wrote invalid UTF-8".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: serde_json::Value) -> Result<String> {
        let template = ChatTemplate::new(source, "<s>", "</s>")?;
        template.render(&RenderInput {
            messages,
            add_generation_prompt: true,
            variables: Map::new(),
        })
    }

    fn failure(source: &str) -> (usize, String) {
        match render(source, json!([])) {
            Err(Error::Template { line, what }) => (line, what),
            other => panic!("expected a template error, got {other:?}"),
        }
    }

    #[test]
    fn plain_format() {
        let mut input = RenderInput {
            messages: json!([
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "Hi" },
                { "role": "assistant", "content": "Hello." },
                { "role": "user", "content": [{ "type": "text", "text": "And?" }] },
            ]),
            add_generation_prompt: true,
            ..RenderInput::default()
        };
        let template = ChatTemplate::plain();
        assert_eq!(
            template.render(&input).as_deref(),
            Ok("Be brief.\n\nUser: Hi\nAssistant: Hello.\nUser: And?\nAssistant:")
        );
        input.add_generation_prompt = false;
        assert_eq!(
            template.render(&input).as_deref(),
            Ok("Be brief.\n\nUser: Hi\nAssistant: Hello.\nUser: And?\n")
        );
    }

    #[test]
    fn variables_are_those_of_hugging_face() {
        let source = "{{ bos_token }}|{{ eos_token }}|{{ tools is none }}|{{ documents is none }}|\
                      {{ enable_thinking is defined }}|{{ strftime_now is defined }}|\
                      {{ add_generation_prompt }}|{{ messages | length }}";
        let mut template = ChatTemplate::new(source, "<s>", "</s>").expect("parses");
        let mut input = RenderInput { messages: json!([]), ..RenderInput::default() };
        assert_eq!(
            template.render(&input).as_deref(),
            Ok("<s>|</s>|True|True|False|False|False|0")
        );
        template.set_clock(|| 0);
        let variables = json!({
            "tools": [], "enable_thinking": false, "bos_token": "B",
            "messages": "not these", "add_generation_prompt": true,
        });
        input.variables = variables.as_object().expect("an object").clone();
        assert_eq!(template.render(&input).as_deref(), Ok("B|</s>|False|True|True|True|False|0"));
    }

    #[test]
    fn a_named_template_is_for_tools() {
        use crate::gguf::{Array, Metadata, Value};
        let string = |text: &str| Value::String(text.to_owned());
        let template = |pairs: &[(&str, &str)]| {
            let mut all = vec![
                ("tokenizer.ggml.model".to_owned(), string("llama")),
                ("tokenizer.ggml.tokens".to_owned(), Value::Array(Array::String(vec!["a".into()]))),
            ];
            for (name, text) in pairs {
                all.push((format!("tokenizer.chat_template{name}"), string(text)));
            }
            let metadata = Metadata::new(all).expect("distinct keys");
            let tokenizer = Tokenizer::from_gguf(&metadata).expect("builds");
            ChatTemplate::from_gguf(&metadata, &tokenizer).expect("parses")
        };
        let text = |template: Option<ChatTemplate>, tools: serde_json::Value| {
            let variables = Map::from_iter([("tools".to_owned(), tools)]);
            let input = RenderInput { messages: json!([]), add_generation_prompt: true, variables };
            template.expect("has one").render(&input).expect("renders")
        };
        let both = || template(&[("", "own"), (".tool_use", "tools"), (".default", "no")]);
        assert_eq!(text(both(), json!([])), "own");
        assert_eq!(text(both(), json!([{}])), "tools");
        assert_eq!(text(template(&[(".default", "d")]), json!([{}])), "d");
        assert_eq!(text(template(&[(".tool_use", "t")]), json!(null)), "t");
        assert!(template(&[(".rag", "r")]).is_none());
    }

    #[test]
    fn the_clock_is_the_callers() {
        let source = "{{ strftime_now('%d %b %Y') }}";
        let mut template = ChatTemplate::new(source, "", "").expect("parses");
        let input = RenderInput { messages: json!([]), ..RenderInput::default() };
        assert!(template.render(&input).is_err());
        template.set_clock(|| 1_795_437_296);
        assert_eq!(template.render(&input).as_deref(), Ok("23 Nov 2026"));
    }

    #[test]
    fn whitespace_and_tags_follow_hugging_face() {
        let source = "  {% generation %}\nx\n  {% endgeneration %}\n\
                      {% for i in range(9) %}\n{% if i == 1 %}{% continue %}{% endif %}\
                      {% if i == 3 %}{% break %}{% endif %}{{ i }}\n{% endfor %}<é & 'q'>\n";
        assert_eq!(render(source, json!([])).as_deref(), Ok("x\n0\n2\n<é & 'q'>"));
    }

    #[test]
    fn values_print_as_in_python() {
        for (expression, expected) in [
            ("[none, true, 1.0, 'it\\'s', {'a': 'b'}]", "[None, True, 1.0, \"it's\", {'a': 'b'}]"),
            ("'x' is sequence and {} is sequence and [] is sequence", "True"),
            ("'x' is iterable and not none is iterable and 3 is not sequence", "True"),
            ("missing is defined or missing", ""),
            ("'abc'[::-1] ~ [1, 2, 3][1:] ~ 7 // 2", "cba[2, 3]3"),
            ("'%s'|format('x') ~ ' a b'.strip().title()", "xA B"),
        ] {
            let source = format!("{{{{ {expression} }}}}");
            assert_eq!(render(&source, json!([])).as_deref(), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn content_parts_reach_the_template_in_its_own_form() {
        let messages = json!([{ "role": "user", "content": [
            { "type": "text", "text": "a" }, { "type": "text", "text": "b" },
        ] }]);
        let text = "{% for m in messages %}[{{ m.content }}]{% endfor %}";
        let parts =
            "{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}";
        let either = "{% for m in messages %}{% if m.content is string %}[{{ m.content }}]{% else %}\
                      {% for p in m.content %}<{{ p.text }}>{% endfor %}{% endif %}{% endfor %}";
        assert_eq!(render(text, messages.clone()).as_deref(), Ok("[a\nb]"));
        assert_eq!(render(parts, messages.clone()).as_deref(), Ok("<a><b>"));
        assert_eq!(render(either, messages).as_deref(), Ok("<a><b>"));
        let message = json!([{ "role": "user", "content": "c" }]);
        assert_eq!(render(parts, message.clone()).as_deref(), Ok("<c>"));
        assert_eq!(render(either, message).as_deref(), Ok("[c]"));
    }

    #[test]
    fn errors_name_the_line_and_the_reason() {
        assert_eq!(failure("a\nb {% if %}").0, 2);
        assert_eq!(failure("a\n\n{{ missing.x }}").0, 3);
        assert_eq!(
            failure("\n{{ raise_exception('roles must alternate') }}"),
            (2, "roles must alternate".to_owned())
        );
        assert_eq!(failure("{% generation %}\n{% endgeneration %}\n{{ f() }}").0, 3);
        assert_eq!(failure(&" ".repeat(MAX_TEMPLATE_BYTES + 1)).0, 0);
        let inner = "{% macro f() %}\n{{ missing.x }}{% endmacro %}\n\n{{ f() }}";
        assert_eq!(failure(inner).0, 2);
    }

    #[test]
    fn a_hostile_template_ends() {
        let doubling = "{% set ns = namespace(s='x') %}{% for _ in range(60) %}\
                        {% set ns.s = ns.s + ns.s %}{% endfor %}";
        let nested = "{% set ns = namespace(s=[1]) %}{% for _ in range(60) %}\
                      {% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}";
        let loops =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let recursion = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
        let writing = "{% set s = 'x' * 1000000 %}{% for _ in range(200) %}{{ s }}{% endfor %}";
        let padding = "{{ 'a'.ljust(65536, 'x' * 1000000) }}";
        let repeating = "{{ 'x' * 9999999999 }}";
        for source in [doubling, nested, loops, recursion, writing, padding, repeating] {
            failure(source);
        }
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
        failure(&deep);
        failure("{% include 'other' %}");
    }

    #[test]
    fn limits_fit_a_small_stack() {
        let run = || {
            let template = "{% macro f(x) %}{% for i in [1] %}{% if true %}{{ [f([x])]|map('string')|join }}\
                            {% endif %}{% endfor %}{% endmacro %}{{ f(1) }}";
            failure(template);
            failure(&"{% if true %}".repeat(5000));
            failure(&format!("{{{{ {}1{} }}}}", "[".repeat(5000), "]".repeat(5000)));
        };
        std::thread::Builder::new()
            .stack_size(1 << 20)
            .spawn(run)
            .expect("a thread starts")
            .join()
            .expect("the stack suffices");
    }
}
