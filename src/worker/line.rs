//! Whose turn it is.

/// Requests that wait for the engine. The client whose last turn is the longest ago is
/// first, whoever has asked for more.
#[derive(Debug)]
pub(crate) struct Line {
    /// Client and request, in the order in which they came.
    waiting: Vec<(u32, u32)>,
    /// Clients that have had a turn, the last one at the end.
    served: Vec<u32>,
}

/// Clients whose turns are remembered: tabs come and go.
const REMEMBERED: usize = 64;

#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "the worker's; the host tests it")
)]
impl Line {
    /// Nobody waits.
    pub(crate) const fn new() -> Line {
        Line { waiting: Vec::new(), served: Vec::new() }
    }

    /// A client's request waits, behind its others.
    pub(crate) fn join(&mut self, client: u32, id: u32) {
        self.waiting.push((client, id));
    }

    /// It waits no longer.
    pub(crate) fn leave(&mut self, id: u32) {
        self.waiting.retain(|(_, other)| *other != id);
    }

    /// A client has its turn.
    pub(crate) fn served(&mut self, client: u32) {
        self.served.retain(|other| *other != client);
        self.served.push(client);
        if self.served.len() > REMEMBERED {
            self.served.remove(0);
        }
    }

    /// The request whose turn is next.
    pub(crate) fn first(&self) -> Option<u32> {
        let last_turn = |client: u32| self.served.iter().position(|other| *other == client);
        // The first of several that are equal: `None` is less than any turn.
        let next = self.waiting.iter().min_by_key(|(client, _)| last_turn(*client));
        next.map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves all, and tells in which order.
    fn order(requests: &[(u32, u32)]) -> Vec<u32> {
        let mut line = Line::new();
        for &(client, id) in requests {
            line.join(client, id);
        }
        let mut served = Vec::new();
        while let Some(id) = line.first() {
            let (client, _) = *requests.iter().find(|(_, other)| *other == id).unwrap();
            line.leave(id);
            line.served(client);
            served.push(id);
        }
        served
    }

    #[test]
    fn one_client_is_served_in_order() {
        assert_eq!(order(&[(0, 1), (0, 2), (0, 3)]), [1, 2, 3]);
    }

    #[test]
    fn clients_take_turns_however_much_they_ask() {
        assert_eq!(order(&[(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (3, 6)]), [1, 4, 6, 2, 5, 3]);
    }

    #[test]
    fn who_comes_late_waits_for_one_turn() {
        let mut line = Line::new();
        line.served(1);
        line.join(1, 1);
        line.join(2, 2);
        assert_eq!(line.first(), Some(2));
        line.leave(2);
        assert_eq!(line.first(), Some(1));
    }
}
