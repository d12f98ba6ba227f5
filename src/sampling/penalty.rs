//! Repetition penalty (Keskar et al. 2019, arXiv:1909.05858), in the form that
//! also lowers negative logits.

/// Writes the penalised logits of the last `last_n` tokens of `history` to
/// `out`; tokens outside the vocabulary are passed over.
///
/// A token that occurs several times is penalised once: each time anew from the
/// untouched `logits`.
pub(super) fn apply(out: &mut [f32], logits: &[f32], history: &[u32], last_n: usize, penalty: f32) {
    let recent = &history[history.len().saturating_sub(last_n)..];
    for &token in recent {
        let token = token as usize;
        if let (Some(out), Some(&logit)) = (out.get_mut(token), logits.get(token)) {
            *out = if logit > 0.0 { logit / penalty } else { logit * penalty };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_tokens_lose_once() {
        let logits = [2.0, -2.0, 0.0, 4.0, f32::NEG_INFINITY];
        let mut out = logits;
        apply(&mut out, &logits, &[3, 0, 1, 1, 0, 4, 99], 6, 2.0);
        assert_eq!(out, [1.0, -4.0, 0.0, 4.0, f32::NEG_INFINITY]);
        let mut out = logits;
        apply(&mut out, &logits, &[3], 64, 2.0);
        assert_eq!(out[3], 2.0);
    }
}
