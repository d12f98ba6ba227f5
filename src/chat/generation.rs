//! `{% generation %}` … `{% endgeneration %}`: Hugging Face's mark around what the
//! assistant says, used for training masks. For inference it must pass its body
//! through. The engine has no custom tags, so the two tags are rewritten to
//! `{% if true %}` … `{% endif %}` in the source; line numbers stay as they are. The same walk
//! through the tags rewrites their expressions ([`percent`]).

use super::percent;

/// Rewrites the generation tags of a template, leaving strings, comments and raw
/// blocks alone.
pub(super) fn rewrite(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 32);
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        let (text, tag) = rest.split_at(start);
        out.push_str(text);
        let length = match tag.as_bytes().get(1) {
            Some(b'#') => tag.find("#}").map_or(tag.len(), |end| end + 2),
            Some(b'{') => tag_length(tag, "}}"),
            Some(b'%') => tag_length(tag, "%}"),
            _ => 1,
        };
        let (mut tag, mut after) = tag.split_at(length);
        match tag_name(tag) {
            Some("generation") => out.push_str(&tag.replacen("generation", "if true", 1)),
            Some("endgeneration") => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            Some("raw") => {
                let whole = tag.len() + raw_length(after);
                (tag, after) = rest[start..].split_at(whole);
                out.push_str(tag);
            }
            _ if tag.starts_with("{{") || tag.starts_with("{%") => {
                out.push_str(&percent::rewrite(tag));
            }
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Bytes of a tag up to and with its end mark, which does not count within strings.
fn tag_length(tag: &str, end: &str) -> usize {
    let bytes = tag.as_bytes();
    let mut quote = None;
    let mut i = 2;
    while i < bytes.len() {
        match (quote, bytes[i]) {
            (Some(_), b'\\') => i += 1,
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b @ (b'\'' | b'"')) => quote = Some(b),
            (None, _) if bytes[i..].starts_with(end.as_bytes()) => return i + end.len(),
            (None, _) => {}
        }
        i += 1;
    }
    bytes.len()
}

/// The only word of a block tag, without whitespace control; `None` if it has more.
fn tag_name(tag: &str) -> Option<&str> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    Some(inner.trim())
}

/// Bytes up to the `{% endraw %}` tag, or to the end where there is none.
fn raw_length(body: &str) -> usize {
    let mut at = 0;
    while let Some(start) = body[at..].find("{%") {
        at += start;
        let tag = &body[at..];
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        if tag_name(&tag[..end]) == Some("endraw") {
            return at;
        }
        at += 2;
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn replaces_both_tags_and_keeps_whitespace_control() {
        assert_eq!(
            rewrite("a{%- generation -%}\n{{ x }}{%endgeneration+%}b"),
            "a{%- if true -%}\n{{ x }}{%endif+%}b"
        );
        assert_eq!(rewrite("{%\n generation\n%}x"), "{%\n if true\n%}x");
    }

    #[test]
    fn leaves_everything_else_alone() {
        for source in [
            "",
            "{",
            "plain generation text { % generation % }",
            "{# {% generation %} #}",
            "{{ '{% generation %}' }}",
            "{% set x = \"%} {% generation %}\\\" \" %}",
            "{% raw %}{% generation %}{% endraw %}",
            "{%- raw -%}{% x %}{% generation %}{%- endraw %}{{ 'é' }}",
            "{% raw %} {% generation %}",
            "{% generation_x %}{% if generation %}{% endif %}",
            "{% generation ",
            "{{ 'open",
            "{# open {% generation %}",
        ] {
            assert_eq!(rewrite(source), source);
        }
    }
}
