//! The host tool: the engine of the browser, from a terminal.

fn main() {}
