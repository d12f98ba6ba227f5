//! Which roles messages may have: a mistyped one would be written into the prompt, and the
//! model would read a speaker that it has never met.

use serde_json::Value;

use crate::{Error, Result};

/// Those of `OpenAI`'s messages.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// # Errors
/// [`Error::BadRequest`] for a message whose role is neither one of these nor named in the
/// template's source.
pub(super) fn check(messages: &Value, source: &str) -> Result<()> {
    let named = |role: &str| ["'", "\""].iter().any(|q| source.contains(&format!("{q}{role}{q}")));
    for (i, message) in messages.as_array().into_iter().flatten().enumerate() {
        let what = match message["role"].as_str() {
            Some(role) if ROLES.contains(&role) || (!role.is_empty() && named(role)) => continue,
            Some(role) => format!("`messages[{i}].role` is {role:?}"),
            None => format!("`messages[{i}]` has no `role`"),
        };
        let roles = ROLES.join(", ");
        let what =
            format!("{what}; it must be one of {roles}, or one that the model's template names");
        return Err(Error::BadRequest { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mistyped_role_is_refused_and_a_role_of_the_template_is_not() {
        let source = "{% if m.role == 'ipython' %}..{% elif m.role == \"control\" %}..{% endif %}";
        for role in ["user", "developer", "function", "ipython", "control"] {
            assert_eq!(check(&json!([{ "role": role }]), source), Ok(()), "{role}");
        }
        for message in
            [json!({ "role": "usr" }), json!({ "role": "" }), json!({ "role": 1 }), json!({})]
        {
            let error = check(&json!([{ "role": "user" }, message]), source).expect_err("refused");
            assert_eq!(error.code(), "bad_request");
            assert!(error.to_string().contains("messages[1]"), "{error}");
        }
    }
}
