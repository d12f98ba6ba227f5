//! What layers without attention remember: one state for all positions so far, which moves on
//! with every token and cannot be cut back. A snapshot allows to return to one earlier place.

use super::zeros;
use crate::Result;

/// The states of all recurrent layers.
pub(crate) struct Recurrent {
    /// `[n_layers, len]`
    states: Vec<f32>,
    len: usize,
    /// How many tokens have gone through.
    position: usize,
    /// The states after an earlier token, and how many tokens had gone through then.
    snapshot: Vec<f32>,
    snapshot_position: usize,
}

impl Recurrent {
    /// States of `len` values for each of `n_layers` layers, none without layers.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub(crate) fn new(n_layers: usize, len: usize) -> Result<Recurrent> {
        let (states, snapshot) = (zeros(n_layers * len)?, zeros(n_layers * len)?);
        Ok(Recurrent { states, len, position: 0, snapshot, snapshot_position: 0 })
    }

    /// Bytes that states and snapshot take.
    pub(crate) fn bytes_for(n_layers: usize, len: usize) -> u64 {
        2 * size_of::<f32>() as u64 * n_layers as u64 * len as u64
    }

    /// Whether there are no such layers: then every place can be returned to.
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The state of a layer, to be moved on.
    pub(crate) fn layer_mut(&mut self, layer: usize) -> &mut [f32] {
        &mut self.states[layer * self.len..][..self.len]
    }

    /// `n_tokens` are about to go through, behind `start` that have. A snapshot is taken before
    /// each chunk of a prompt; a single token is too little to be worth it.
    ///
    /// # Panics
    /// If it is not `start` that have.
    pub(crate) fn advance(&mut self, start: usize, n_tokens: usize) {
        if self.is_empty() {
            return;
        }
        assert_eq!(self.position, start, "a recurrent state cannot be cut back");
        if n_tokens > 1 {
            self.snapshot.copy_from_slice(&self.states);
            self.snapshot_position = start;
        }
        self.position += n_tokens;
    }

    /// Returns to a place at `most` tokens from the beginning, as near as there is one, and
    /// tells where.
    pub(crate) fn rewind(&mut self, most: usize) -> usize {
        if self.is_empty() || most == self.position {
            return most;
        }
        if self.snapshot_position > most {
            self.snapshot.fill(0.0);
            self.snapshot_position = 0;
        }
        self.states.copy_from_slice(&self.snapshot);
        self.position = self.snapshot_position;
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_snapshots_and_the_beginning_can_be_returned_to() {
        let mut states = Recurrent::new(2, 3).unwrap();
        let run = |states: &mut Recurrent, start: usize, n: usize| {
            states.advance(start, n);
            states.layer_mut(1).fill((start + n) as f32);
        };
        run(&mut states, 0, 5);
        run(&mut states, 5, 4);
        run(&mut states, 9, 1);
        assert_eq!(states.rewind(10), 10);
        assert_eq!(states.layer_mut(1), [10.0; 3]);
        assert_eq!(states.rewind(9), 5);
        assert_eq!(states.layer_mut(1), [5.0; 3]);
        run(&mut states, 5, 1);
        assert_eq!(states.rewind(5), 5);
        assert_eq!(states.rewind(4), 0);
        assert_eq!(states.layer_mut(1), [0.0; 3]);
        assert_eq!(states.rewind(0), 0);
    }

    #[test]
    fn without_layers_every_place_is_there() {
        let mut states = Recurrent::new(0, 0).unwrap();
        states.advance(7, 2);
        assert_eq!(states.rewind(3), 3);
        assert_eq!(Recurrent::bytes_for(0, 0), 0);
    }
}
