//! `logits` and `score`.

use super::args::{Logits, Score};
use super::{load, print, read_text};
use pagelm::Result;
use pagelm::session::{Engine, Scores, Scoring};
use serde_json::json;

pub(super) fn logits(args: &Logits) -> Result<()> {
    let mut engine = load(&args.model, &args.run)?;
    let scores = run(&mut engine, args.tokens.clone())?;
    let value = json!({ "logits": scores.last_logits, "nll": scores.nll });
    print(args.json, value, || {
        let mut best: Vec<usize> = (0..scores.last_logits.len()).collect();
        best.sort_by(|a, b| scores.last_logits[*b].total_cmp(&scores.last_logits[*a]));
        let line = |id: &usize| format!("{id}\t{}", scores.last_logits[*id]);
        best.iter().take(10).map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

pub(super) fn score(args: &Score) -> Result<()> {
    let mut engine = load(&args.model, &args.run)?;
    let tokens = match &args.text_file {
        Some(file) if args.tokens.is_empty() => {
            engine.tokenizer().encode(&read_text(file)?, true, false)?
        }
        _ => args.tokens.clone(),
    };
    let scores = run(&mut engine, tokens.clone())?;
    let (mean_nll, perplexity) = (scores.mean_nll(), scores.perplexity());
    let value = json!({
        "tokens": tokens, "nll": scores.nll, "mean_nll": mean_nll, "perplexity": perplexity,
    });
    print(args.json, value, || {
        format!("{} tokens, mean nll {mean_nll:.4}, perplexity {perplexity:.3}", tokens.len())
    });
    Ok(())
}

fn run(engine: &mut Engine, tokens: Vec<u32>) -> Result<Scores> {
    let mut scoring = Scoring::new(engine, tokens)?;
    loop {
        if let Some(scores) = scoring.step(engine)? {
            return Ok(scores);
        }
    }
}
