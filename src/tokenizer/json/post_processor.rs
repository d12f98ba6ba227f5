//! The post-processor: which tokens are put around a text.

use serde_json::Value;

use super::part::Part;
use crate::Result;

/// The tokens before a text, and behind it.
pub(super) fn around(part: Part<'_>) -> Result<(Vec<u32>, Vec<u32>)> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    match part.kind {
        // Each puts its own around what the one before has made.
        "Sequence" => {
            for step in part.steps("processors")? {
                let (outer_before, outer_after) = around(step)?;
                before.splice(..0, outer_before);
                after.extend(outer_after);
            }
        }
        "TemplateProcessing" => {
            let pieces = part.field("single").as_array().ok_or_else(|| part.lacks("single"))?;
            let mut behind = false;
            for piece in pieces {
                let Some(name) = piece["SpecialToken"]["id"].as_str() else {
                    behind = true;
                    continue;
                };
                let ids = part.field("special_tokens")[name]["ids"].as_array();
                for id in ids.ok_or_else(|| part.lacks("special_tokens"))? {
                    let id = id_of(id).ok_or_else(|| part.lacks("special_tokens"))?;
                    if behind { &mut after } else { &mut before }.push(id);
                }
            }
        }
        "RobertaProcessing" | "BertProcessing" => {
            let id = |name| id_of(&part.field(name)[1]).ok_or_else(|| part.lacks(name));
            before.push(id("cls")?);
            after.push(id("sep")?);
        }
        // Of offsets alone.
        "ByteLevel" => {}
        _ => return Err(part.unknown()),
    }
    Ok((before, after))
}

fn id_of(value: &Value) -> Option<u32> {
    value.as_u64()?.try_into().ok()
}
