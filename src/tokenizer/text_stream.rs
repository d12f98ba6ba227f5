/// Incremental text.
#[derive(Default)]
pub struct TextStream {
    held: Vec<u8>,
}
impl TextStream {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }
    /// Next bytes.
    pub fn push(&mut self, piece: &[u8]) -> String {
        self.held.extend_from_slice(piece);
        let n = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            Err(e) if e.error_len().is_none() => e.valid_up_to(),
            Err(_) => self.held.len(),
        };
        let rest = self.held.split_off(n);
        let out = String::from_utf8_lossy(&self.held).into_owned();
        self.held = rest;
        out
    }
    /// The rest.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}
