//! Rotary position embedding (Su et al., 2021).

use crate::kernels::rotate_pairs;

/// The angles of all positions: `[n_positions, dim / 2]` of (cos, sin).
pub(crate) struct Rope {
    angles: Vec<[f32; 2]>,
    half: usize,
}

impl Rope {
    /// angle(p, i) = p · scale / (base^(2i / dim) · factors[i]).
    ///
    /// `scale` is 1 / factor of linear scaling; `factors` is the tensor
    /// `rope_freqs.weight` of Llama 3.1 and later, all 1 where absent.
    pub(crate) fn new(
        n_positions: usize,
        dim: usize,
        base: f32,
        scale: f32,
        factors: Option<&[f32]>,
    ) -> Rope {
        let half = dim / 2;
        let frequencies: Vec<f64> = (0..half)
            .map(|i| {
                let factor = factors.and_then(|f| f.get(i)).map_or(1.0, |f| *f as f64);
                scale as f64 / ((base as f64).powf(2.0 * i as f64 / dim as f64) * factor)
            })
            .collect();
        let angle = |p: usize, f: &f64| {
            let (sin, cos) = (p as f64 * f).sin_cos();
            [cos as f32, sin as f32]
        };
        let angles =
            (0..n_positions).flat_map(|p| frequencies.iter().map(move |f| angle(p, f))).collect();
        Rope { angles, half }
    }

    /// Rotates every head of a row `[n_heads, head_dim]` at `position`, neighbouring values
    /// being a pair (the order of `llama` in GGUF).
    pub(crate) fn apply(&self, row: &mut [f32], head_dim: usize, position: usize) {
        let angles = &self.angles[position * self.half..][..self.half];
        for head in row.chunks_exact_mut(head_dim) {
            rotate_pairs(head, angles);
        }
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&self.angles[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_follow_the_formula() {
        let factors = [1.0, 8.0, 2.0, 4.0];
        let rope = Rope::new(5, 8, 10_000.0, 0.5, Some(&factors));
        let mut row: Vec<f32> = (0..16).map(|i| i as f32 - 7.5).collect();
        let before = row.clone();
        rope.apply(&mut row, 8, 3);
        for i in 0..8 {
            let pair = i % 4;
            let angle = 3.0 * 0.5 / (10_000f64.powf(pair as f64 / 4.0) * factors[pair] as f64);
            let (a, b) = (before[2 * i] as f64, before[2 * i + 1] as f64);
            assert!((row[2 * i] as f64 - (a * angle.cos() - b * angle.sin())).abs() < 1e-5);
            assert!((row[2 * i + 1] as f64 - (a * angle.sin() + b * angle.cos())).abs() < 1e-5);
        }
        rope.apply(&mut row, 8, 0);
        assert_ne!(row, before);
    }

    #[test]
    fn only_the_rotated_part_of_a_head_turns() {
        let rope = Rope::new(2, 4, 10_000.0, 1.0, None);
        let mut row = [1.0; 8];
        rope.apply(&mut row, 8, 1);
        assert_eq!(row[4..], [1.0; 4]);
        assert_ne!(row[..4], [1.0; 4]);
    }
}
