//! Rotary position embedding (Su et al., 2021).

use crate::Result;
use crate::kernels::{rotate_halves, rotate_pairs};
use crate::kv_cache::room;

/// How a model rotates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RopeShape {
    /// Rotated values of a head: its first ones.
    pub(crate) dim: usize,
    /// Which of them are a pair.
    pub(crate) pairing: Pairing,
    /// Base of the frequencies.
    pub(crate) base: f32,
    /// 1 / factor of a context that is stretched.
    pub(crate) scale: f32,
    /// Stretched by YaRN; where absent, all frequencies are.
    pub(crate) yarn: Option<Yarn>,
    /// Cosine and sine are multiplied by it.
    pub(crate) magnitude: f32,
}

/// Which values of a head are a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// (0, 1), (2, 3) …
    Neighbours,
    /// (0, dim / 2), (1, dim / 2 + 1) …
    Halves,
}

/// YaRN (Peng et al., 2023): only slow frequencies are scaled. Those that turn more than
/// `fast` times in the original context stay, those that turn less than `slow` times are
/// scaled fully, and between them it is a ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Yarn {
    /// Positions that the model was trained for before it was stretched.
    pub(crate) original_context: usize,
    /// Turns from which on a frequency stays.
    pub(crate) fast: f32,
    /// Turns up to which it is scaled fully.
    pub(crate) slow: f32,
}

/// The angles of all positions: `[n_positions, dim / 2]` of (cos, sin).
pub(crate) struct Rope {
    angles: Vec<[f32; 2]>,
    half: usize,
    pairing: Pairing,
}

impl Rope {
    /// angle(p, i) = p · s(i) / (base^(2i / dim) · factors[i]), s(i) being `scale`, or
    /// between that and 1 with YaRN.
    ///
    /// `factors` are those of Llama 3.1 and later (`rope_freqs.weight`) or of LongRoPE, all 1
    /// where absent.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(
        n_positions: usize,
        shape: &RopeShape,
        factors: Option<&[f32]>,
    ) -> Result<Rope> {
        let half = shape.dim / 2;
        let frequencies: Vec<f64> = (0..half)
            .map(|i| {
                let factor = factors.and_then(|f| f.get(i)).map_or(1.0, |f| *f as f64);
                let base = (shape.base as f64).powf(2.0 * i as f64 / shape.dim as f64);
                shape.scale_of(i) / (base * factor)
            })
            .collect();
        let angle = |p: usize, f: &f64| {
            let (sin, cos) = (p as f64 * f).sin_cos();
            [cos, sin].map(|x| (x * shape.magnitude as f64) as f32)
        };
        let mut angles = room(n_positions * half)?;
        angles.extend((0..n_positions).flat_map(|p| frequencies.iter().map(move |f| angle(p, f))));
        Ok(Rope { angles, half, pairing: shape.pairing })
    }

    /// Rotates a head at `position`.
    pub(crate) fn apply(&self, head: &mut [f32], position: usize) {
        let angles = &self.angles[position * self.half..][..self.half];
        match self.pairing {
            Pairing::Neighbours => rotate_pairs(head, angles),
            Pairing::Halves => rotate_halves(head, angles),
        }
    }

    /// Bytes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&self.angles[..])
    }
}

impl RopeShape {
    /// What frequency `i` is multiplied by.
    fn scale_of(&self, i: usize) -> f64 {
        let scale = self.scale as f64;
        let Some(Yarn { original_context, fast, slow }) = self.yarn else { return scale };
        let dim = self.dim as f64;
        // The frequency that turns so many times in the original context.
        let index = |turns: f32| {
            let turn = original_context as f64 / (turns as f64 * std::f64::consts::TAU);
            dim * turn.ln() / (2.0 * (self.base as f64).ln())
        };
        let first = index(fast).floor().max(0.0);
        let last = index(slow).ceil().min(dim - 1.0);
        let ramp = ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0);
        scale * ramp + (1.0 - ramp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: RopeShape = RopeShape {
        dim: 8,
        pairing: Pairing::Neighbours,
        base: 10_000.0,
        scale: 0.5,
        yarn: None,
        magnitude: 1.0,
    };

    #[test]
    fn angles_follow_the_formula() {
        let factors = [1.0, 8.0, 2.0, 4.0];
        for (pairing, magnitude) in [(Pairing::Neighbours, 1.0), (Pairing::Halves, 1.5)] {
            let shape = RopeShape { pairing, magnitude, ..SHAPE };
            let rope = Rope::new(5, &shape, Some(&factors)).unwrap();
            let before: Vec<f32> = (0..8).map(|i| i as f32 - 3.5).collect();
            let mut head = before.clone();
            rope.apply(&mut head, 3);
            for (pair, factor) in factors.into_iter().enumerate() {
                let angle = 3.0 * 0.5 / (10_000f64.powf(pair as f64 / 4.0) * factor as f64);
                let (cos, sin) = (angle.cos() * magnitude as f64, angle.sin() * magnitude as f64);
                let (i, j) = match pairing {
                    Pairing::Neighbours => (2 * pair, 2 * pair + 1),
                    Pairing::Halves => (pair, pair + 4),
                };
                let (a, b) = (before[i] as f64, before[j] as f64);
                assert!((head[i] as f64 - (a * cos - b * sin)).abs() < 1e-5);
                assert!((head[j] as f64 - (a * sin + b * cos)).abs() < 1e-5);
            }
            rope.apply(&mut head, 0);
            assert_ne!(head, before);
        }
    }

    #[test]
    fn only_the_rotated_part_of_a_head_turns() {
        for pairing in [Pairing::Neighbours, Pairing::Halves] {
            let rope = Rope::new(2, &RopeShape { dim: 4, pairing, ..SHAPE }, None).unwrap();
            let mut head = [1.0; 8];
            rope.apply(&mut head, 1);
            assert_eq!(head[4..], [1.0; 4]);
            assert_ne!(head[..4], [1.0; 4]);
        }
    }

    #[test]
    fn yarn_keeps_what_turns_fast() {
        let yarn = Yarn { original_context: 2048, fast: 32.0, slow: 1.0 };
        let shape = RopeShape { dim: 128, scale: 0.25, yarn: Some(yarn), ..SHAPE };
        assert_eq!(shape.scale_of(0), 1.0);
        assert_eq!(shape.scale_of(63), 0.25);
        // 2048 positions are 32 turns at index 16.1, and one turn at 40.2.
        assert_eq!((shape.scale_of(16), shape.scale_of(41)), (1.0, 0.25));
        assert!((shape.scale_of(26) - (1.0 - 0.75 * 10.0 / 25.0)).abs() < 1e-9);
    }
}
