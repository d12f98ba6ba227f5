//! The best k tokens, without sorting the others.

use super::Candidate;

/// Fills `out` with the `k` best logits in no particular order, the lower ids
/// among equals. NaN and minus infinity are left out, so there may be fewer.
///
/// Whatever exceeds the k-th best so far is gathered; each time that 2k have
/// come together, a selection throws half away and raises the bar. After a few
/// thousand logits hardly any passes it.
pub(super) fn collect(logits: &[f32], k: usize, out: &mut Vec<Candidate>) {
    out.clear();
    if k == 0 {
        return;
    }
    let full = k.saturating_mul(2);
    // Of equals the earlier stays, so what only reaches the bar comes too late.
    let mut bar = f32::NEG_INFINITY;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > bar {
            out.push(Candidate { token: token as u32, logit });
            if out.len() == full {
                bar = truncate(out, k);
            }
        }
    }
    if out.len() > k {
        truncate(out, k);
    }
}

/// Keeps the best `k` of more than `k` candidates; returns the worst kept logit.
fn truncate(candidates: &mut Vec<Candidate>, k: usize) -> f32 {
    let (_, kth, _) = candidates.select_nth_unstable_by(k - 1, Candidate::rank);
    let bar = kth.logit;
    candidates.truncate(k);
    bar
}
