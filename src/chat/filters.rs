//! Filters of jinja2 that the engine lacks.

use super::methods;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use minijinja_contrib::globals;

/// Adds them, and jinja2's `joiner`.
pub(super) fn add_to(environment: &mut Environment) {
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", |text: &str| words(text));
    environment.add_function("joiner", globals::joiner);
}

/// `center(width=80)`: as Python's `str.center`.
fn center(text: &str, width: Option<usize>) -> Result<Value, Error> {
    methods::pad(text, "center", &[Value::from(width.unwrap_or(80))])
}

/// `truncate(length=255, killwords=False, end="...")`, and `leeway=5` by its name.
fn truncate(
    text: &str,
    length: Option<usize>,
    kill_words: Option<bool>,
    end: Option<&str>,
    named: Kwargs,
) -> Result<String, Error> {
    let length = length.or(named.get("length")?).unwrap_or(255);
    let kill_words = kill_words.or(named.get("killwords")?).unwrap_or(false);
    let end = end.or(named.get("end")?).unwrap_or("...");
    let leeway = named.get::<Option<usize>>("leeway")?.unwrap_or(5);
    named.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.to_owned());
    }
    let kept = length.saturating_sub(end.chars().count());
    let cut: String = text.chars().take(kept).collect();
    let cut = match cut.rfind(' ').filter(|_| !kill_words) {
        Some(space) => &cut[..space],
        None => &cut,
    };
    Ok(format!("{cut}{end}"))
}

/// Runs of letters, digits and underscores.
fn words(text: &str) -> usize {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !inside(c)).filter(|word| !word.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are what jinja2 3.1 gives.
    #[test]
    fn they_are_those_of_jinja2() {
        let mut environment = Environment::new();
        add_to(&mut environment);
        for (template, expected) in [
            ("[{{ 'ab'|center(5) }}]", "[  ab ]"),
            ("[{{ 'abc'|center(6) }}]", "[ abc  ]"),
            ("{{ 'abc'|center|length }}", "80"),
            ("{{ 'foo bar baz qux'|truncate(9) }}", "foo..."),
            ("{{ 'foo bar baz qux'|truncate(9, True) }}", "foo ba..."),
            ("{{ 'foo bar baz qux'|truncate(11) }}", "foo bar baz qux"),
            ("{{ 'foo bar baz qux'|truncate(11, leeway=0, end='…') }}", "foo bar…"),
            ("{{ 'foo bar baz qux'|truncate(11, False, '...', leeway=0) }}", "foo bar..."),
            ("{{ 'One, two_2 – drei.'|wordcount }}", "3"),
            ("{% set j = joiner(', ') %}{% for x in [1, 2] %}{{ j() }}{{ x }}{% endfor %}", "1, 2"),
        ] {
            assert_eq!(environment.render_str(template, ()).unwrap(), expected, "{template}");
        }
        assert!(environment.render_str("{{ 'a'|center(1000000) }}", ()).is_err());
        assert!(environment.render_str("{{ 'a'|truncate(size=3) }}", ()).is_err());
    }
}
