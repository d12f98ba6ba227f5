//! Logit bias, as OpenAI's API defines it: added before any token is left out.

/// From here on a token is not to come at all.
const FORBIDS: f32 = -100.0;

/// Adds each token's bias to its logit; tokens outside the vocabulary are passed over.
pub(super) fn apply(out: &mut [f32], bias: &[(u32, f32)]) {
    for &(token, bias) in bias {
        if let Some(logit) = out.get_mut(token as usize) {
            *logit = if bias <= FORBIDS { f32::NEG_INFINITY } else { *logit + bias };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_is_added_and_the_least_forbids() {
        let mut logits = [1.0, 2.0, 3.0];
        apply(&mut logits, &[(0, 2.5), (2, -100.0), (9, 1.0)]);
        assert_eq!(logits, [3.5, 2.0, f32::NEG_INFINITY]);
    }
}
