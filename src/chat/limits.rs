//! What a template may spend. It comes out of a model file, so a hostile one must
//! end with an error, in bounded time and memory.
//!
//! Fuel pays for instructions and for every byte and list slot that the template
//! creates. The engine does not charge for *walking* lists that share their parts
//! (`[a, a]` forty times over has 2^40 leaves): what we write ourselves, `tojson` and
//! the output, has its own bound, but a template that compares or captures such a list
//! ends only with the worker that runs it.

use std::io;

/// Work per rendering: about one unit for an instruction, one for 64 bytes made.
/// Ten times what a conversation of 100,000 tokens needs in common templates.
pub const MAX_FUEL: u64 = 4_000_000;

/// Nesting of blocks, loops and macro calls while rendering. Chosen for the 1 MiB
/// stack of a wasm worker; recursive macros (JSON schemas of tools) need under 100.
pub const MAX_RECURSION: usize = 200;

/// Bytes a rendering may have, and any one value written as JSON in it.
pub const MAX_OUTPUT_BYTES: usize = 16 << 20;

/// Bytes of template source. The longest ones in use have about 20,000.
pub const MAX_TEMPLATE_BYTES: usize = 1 << 20;

/// Collects the rendering and refuses to grow above [`MAX_OUTPUT_BYTES`].
#[derive(Default)]
pub(super) struct CappedOutput(pub(super) Vec<u8>);

impl io::Write for CappedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other(format!(
                "the text is longer than {MAX_OUTPUT_BYTES} bytes"
            )));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
