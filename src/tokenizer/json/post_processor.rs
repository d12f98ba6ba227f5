//! The post-processor: which tokens are put around a text.

use std::collections::HashMap;

use serde::Deserialize;

/// A post-processor, as the file describes it.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Part {
    Sequence {
        processors: Vec<Part>,
    },
    TemplateProcessing {
        single: Vec<Piece>,
        special_tokens: HashMap<String, Special>,
    },
    RobertaProcessing {
        cls: (String, u32),
        sep: (String, u32),
    },
    BertProcessing {
        cls: (String, u32),
        sep: (String, u32),
    },
    /// Of offsets alone.
    ByteLevel,
}

#[derive(Deserialize)]
pub(super) enum Piece {
    SpecialToken { id: String },
    Sequence {},
}

#[derive(Deserialize)]
pub(super) struct Special {
    ids: Vec<u32>,
}

/// The tokens before a text, and behind it.
pub(super) fn around(part: Part) -> (Vec<u32>, Vec<u32>) {
    match part {
        // Each puts its own around what the one before has made.
        Part::Sequence { processors } => processors.into_iter().map(around).fold(
            (Vec::new(), Vec::new()),
            |(inner_before, inner_after), (mut before, after)| {
                before.extend(inner_before);
                (before, [inner_after, after].concat())
            },
        ),
        Part::TemplateProcessing { single, special_tokens } => {
            let (mut before, mut after, mut behind) = (Vec::new(), Vec::new(), false);
            for piece in single {
                match piece {
                    Piece::Sequence {} => behind = true,
                    Piece::SpecialToken { id } => {
                        let ids = special_tokens.get(&id).map_or(&[][..], |special| &special.ids);
                        if behind { &mut after } else { &mut before }.extend(ids);
                    }
                }
            }
            (before, after)
        }
        Part::RobertaProcessing { cls, sep } | Part::BertProcessing { cls, sep } => {
            (vec![cls.1], vec![sep.1])
        }
        Part::ByteLevel => (Vec::new(), Vec::new()),
    }
}
