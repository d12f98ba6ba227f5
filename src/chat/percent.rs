//! `"%s: %s" % (a, b)`: Python's formatting of a text by an operator, which the engine knows as
//! a filter only. So `TEXT % operand` becomes `TEXT | format(operand)` in the source, where TEXT
//! is a string in quotes; line numbers stay as they are.

/// Operands are read up to so many bytes: a hostile template is not searched to its end at every
/// text, nor nested deeper than the stack bears.
const MAX_OPERAND: usize = 1024;

/// Rewrites the expressions of one tag, from its `{{` or `{%` to its end.
pub(super) fn rewrite(tag: &str) -> String {
    let bytes = tag.as_bytes();
    let mut out = String::with_capacity(tag.len());
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        if !matches!(bytes[at], b'\'' | b'"') {
            at += 1;
            continue;
        }
        at = string_end(bytes, at);
        let percent = skip_spaces(bytes, at);
        if bytes.get(percent) != Some(&b'%') || bytes.get(percent + 1) == Some(&b'}') {
            continue;
        }
        let start = skip_spaces(bytes, percent + 1);
        let limit = bytes.len().min(start + MAX_OPERAND);
        let end = match operand_end(&bytes[..limit], start) {
            Some(end) if end < start + MAX_OPERAND => end,
            _ => continue,
        };
        let operand = rewrite(&tag[start..end]);
        // A tuple's elements are arguments by themselves.
        let tuple = bytes[start] == b'(' && group_end(bytes, start) == Some(end);
        let open = if tuple { "" } else { "(" };
        let close = if tuple { "" } else { ")" };
        out.push_str(&tag[copied..percent]);
        out.push_str(&format!("| format{}{open}{operand}{close}", &tag[percent + 1..start]));
        (copied, at) = (end, end);
    }
    out.push_str(&tag[copied..]);
    out
}

/// Where the operand at `start` ends: a group, a string, a number or a name, with what is called,
/// taken or filtered of it.
fn operand_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = match bytes.get(start)? {
        b'(' | b'[' => group_end(bytes, start)?,
        b'\'' | b'"' => string_end(bytes, start),
        _ => Some(word_end(bytes, start)).filter(|end| *end > start)?,
    };
    loop {
        let next = skip_spaces(bytes, at);
        at = match bytes.get(next) {
            Some(b'(' | b'[') => group_end(bytes, next)?,
            Some(b'.' | b'|') => {
                let word = skip_spaces(bytes, next + 1);
                Some(word_end(bytes, word)).filter(|end| *end > word)?
            }
            _ => return Some(at),
        };
    }
}

/// Behind the bracket that closes the one at `start`.
fn group_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            let close = if bytes[start] == b'(' { b')' } else { b']' };
            return (bytes[at - 1] == close).then_some(at);
        }
    }
    None
}

/// Behind the string whose quote is at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != bytes[start] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    start + bytes[start..].iter().take_while(|b| is_word(b)).count()
}

fn skip_spaces(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn texts_are_formatted() {
        for (source, expected) in [
            ("{{ '%s' % x }}", "{{ '%s' | format (x) }}"),
            ("{{ \"%s %d\"%(a, b.c) ~ d }}", "{{ \"%s %d\"| format(a, b.c) ~ d }}"),
            (
                "{{ 'a' ~ '%s' % f(x)[0].y|trim + z }}",
                "{{ 'a' ~ '%s' | format (f(x)[0].y|trim) + z }}",
            ),
            ("{{ '%s' %\n(a) . b }}", "{{ '%s' | format\n((a) . b) }}"),
            ("{{ '%s)' % ('(' ~ '%s' % x) }}", "{{ '%s)' | format ('(' ~ '%s' | format (x)) }}"),
        ] {
            assert_eq!(rewrite(source), expected);
        }
    }

    #[test]
    fn all_else_stays() {
        for source in [
            "{% set x = 'a'%}",
            "{%- if a % 2 == '%' -%}",
            "{{ 'é % x' }}",
            "{{ 'a' % ",
            "{{ 'a' % (b }}",
            "{{ 'a' % -1 }}",
            "{{ 'open % x",
            "{{ 'a\\",
        ] {
            assert_eq!(rewrite(source), source);
        }
    }

    #[test]
    fn a_hostile_text_ends() {
        let open = "'%'%(".repeat(100_000);
        assert_eq!(rewrite(&open), open);
        let closed = format!("{open}1{}", ")".repeat(100_000));
        assert!(rewrite(&closed).len() >= closed.len());
    }
}
