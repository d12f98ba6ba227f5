//! `tokenize` and `detokenize`.

use super::args::{Detokenize, Tokenize};
use super::{header, print, read_text, tokenizer};
use pagelm::Result;
use serde_json::json;

pub(super) fn tokenize(args: &Tokenize) -> Result<()> {
    let tokenizer = tokenizer(&header(&args.model)?, &args.given)?;
    let text = read_text(&args.text_file)?;
    let tokens = tokenizer.encode(&text, args.special, args.special)?;
    print(args.json, json!({ "tokens": tokens }), || join(&tokens));
    Ok(())
}

pub(super) fn detokenize(args: &Detokenize) -> Result<()> {
    let tokenizer = tokenizer(&header(&args.model)?, &args.given)?;
    let text = tokenizer.decode(&args.tokens);
    print(args.json, json!({ "text": text }), || text.clone());
    Ok(())
}

/// Ids separated by commas, as the other commands take them.
pub(super) fn join(tokens: &[u32]) -> String {
    tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
