//! Chat templates against renderings by Python's jinja2.

mod common;

use common::fixtures;
use pagelm::chat::{ChatTemplate, RenderInput};
use serde_json::{Map, Value};

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn input(case: &Value) -> RenderInput {
    RenderInput {
        messages: case["messages"].clone(),
        add_generation_prompt: case["add_generation_prompt"].as_bool().expect("a boolean"),
        variables: Map::new(),
    }
}

#[test]
fn templates_in_use_render_as_in_python() {
    let cases = fixtures().json("templates/cases.json");
    let cases = cases.as_array().expect("a list of cases");
    assert!(!cases.is_empty());
    for case in cases {
        let name = text(case, "name");
        let template = ChatTemplate::new(
            text(case, "template_str"),
            text(case, "bos_token"),
            text(case, "eos_token"),
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(template.render(&input(case)).as_deref(), Ok(text(case, "expected")), "{name}");
    }
}

#[test]
fn smollm2_template_renders_as_in_python() {
    let data = fixtures().json("real/smollm2-135m-q4_1/chat_template.json");
    let template =
        ChatTemplate::new(text(&data, "template"), "<|im_start|>", "<|im_end|>").expect("parses");
    let rows = data["rows"].as_array().expect("a list of rows");
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(template.render(&input(row)).as_deref(), Ok(text(row, "text")));
    }
}

#[test]
fn what_templates_use_renders_as_in_python() {
    let data = fixtures().json("templates/python.json");
    let variables = data["variables"].as_object().expect("an object");
    for row in data["rows"].as_array().expect("a list of rows") {
        let source = text(row, "template");
        let template = ChatTemplate::new(source, "<s>", "</s>")
            .unwrap_or_else(|error| panic!("{source}: {error}"));
        let input = RenderInput {
            messages: data["messages"].clone(),
            add_generation_prompt: true,
            variables: variables.clone(),
        };
        assert_eq!(template.render(&input).as_deref(), Ok(text(row, "expected")), "{source}");
    }
}
