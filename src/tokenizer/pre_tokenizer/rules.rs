//! The rules by name: the models' own expressions, as their `tokenizer.json` has them, with
//! look-around replaced by [`Cut`]. The names are llama.cpp's. Where its expressions only
//! come near the model's (capitals outside of ASCII in `cased!`), the model's stand here.

use super::{Cut, Step};

/// How the vocabularies of some names are cut and merged.
#[derive(Debug)]
pub(in crate::tokenizer) struct Rules {
    /// Values of `tokenizer.ggml.pre`.
    pub(super) names: &'static [&'static str],
    pub(super) steps: &'static [Step],
    /// Whether a word that is a token is taken whole, without merging.
    pub(in crate::tokenizer) whole_words: bool,
    /// Whether a text begins with BOS where the file does not say.
    pub(in crate::tokenizer) add_bos: bool,
    /// Whether it does whatever the file says.
    pub(in crate::tokenizer) always_bos: bool,
}

/// The rules that `name` stands for.
pub(in crate::tokenizer) fn rules(name: &str) -> Option<&'static Rules> {
    ALL.iter().find(|rules| rules.names.contains(&name))
}

/// English contractions in small letters.
macro_rules! contraction {
    () => {
        "'s|'t|'re|'ve|'m|'ll|'d"
    };
}

/// English contractions in ASCII letters of any case.
macro_rules! any_contraction {
    () => {
        "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
    };
}

/// GPT-2's words.
const GPT2: Step =
    Step(concat!(contraction!(), r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"), Cut::BeforeSpace);

/// Words with the character before them, and up to `$digits` digits at a time.
macro_rules! modern {
    ($digits:literal) => {
        Step(
            concat!(
                any_contraction!(),
                r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
                $digits,
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
            ),
            Cut::BeforeBlank,
        )
    };
}

/// Words cut where small letters end and capitals begin (o200k and its kin).
macro_rules! cased {
    ($suffix:expr, $digits:literal) => {
        Step(
            concat!(
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
                $suffix,
                r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
                $suffix,
                r"|\p{N}",
                $digits,
                r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+"
            ),
            Cut::BeforeBlank,
        )
    };
}

/// DeepSeek 3's words: punctuation takes ASCII letters with it, marks belong to letters.
const DEEPSEEK3: Step = Step(
    concat!(
        r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+"
    ),
    Cut::BeforeBlank,
);

/// Scripts that write words without spaces, as of AFM.
const ASIAN: Step = Step(
    concat!(
        r"[\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{f900}-\x{faff}\x{3040}-\x{309f}\x{30a0}-\x{30ff}",
        r"\x{ff65}-\x{ff9f}\x{2f00}-\x{2fdf}\x{e40}-\x{e7f}\x{e80}-\x{eff}\x{1780}-\x{17ff}",
        r"\x{1000}-\x{109f}\x{aa60}-\x{aa7f}\x{a9e0}-\x{a9ff}\x{ac00}-\x{d7af}\x{1100}-\x{11ff}]+"
    ),
    Cut::Whole,
);

const CHINESE_JAPANESE: Step =
    Step(r"[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+", Cut::Whole);

/// From U+0800 to Hangul, as published. Without the spaces in between: llama.cpp does not
/// take them for letters.
const CHINESE_KOREAN: Step = Step(r"[\x{800}-\x{9fa5}\x{ac00}-\x{d7ff}--\s]+", Cut::Whole);

/// Letters of alphabets with two cases, as of DeepSeek LLM.
const CASED_LETTERS: Step = Step(
    concat!(
        r"\s?[A-Za-z",
        r"\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}",
        r"\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}",
        r"\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}",
        r"\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}",
        r"\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}",
        r"\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}",
        r"\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}",
        r"\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}",
        r"\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}",
        r"\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}",
        r"\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}",
        r"\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}",
        r"\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}",
        r"\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}",
        r"\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}",
        r"\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}",
        "]+"
    ),
    Cut::Whole,
);

/// BLOOM's words: everything but white space and sentence marks of several scripts.
const BLOOM: Step =
    Step(r" ?[^(\s|.,!?)\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c}]+", Cut::Whole);

const fn rule(names: &'static [&'static str], steps: &'static [Step]) -> Rules {
    Rules { names, steps, whole_words: false, add_bos: false, always_bos: false }
}

const fn whole_words(rules: Rules) -> Rules {
    Rules { whole_words: true, ..rules }
}

const fn add_bos(rules: Rules) -> Rules {
    Rules { add_bos: true, ..rules }
}

/// All rules.
pub(super) static ALL: [Rules; 31] = [
    rule(
        &["default"],
        &[
            Step(r"[\p{P}$+<=>^~|]+", Cut::Whole),
            GPT2,
            Step(r"\p{N}+", Cut::Whole),
            Step("[0-9][0-9][0-9]", Cut::Whole),
        ],
    ),
    rule(
        &[
            "gpt-2",
            "phi-2",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
        ],
        &[GPT2],
    ),
    rule(
        &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        &[Step(r"\p{N}", Cut::Whole), GPT2],
    ),
    add_bos(whole_words(rule(
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        &[modern!("{1,3}")],
    ))),
    rule(&["dbrx", "smaug-bpe", "chatglm-bpe"], &[modern!("{1,3}")]),
    whole_words(rule(&["glm4", "glm5"], &[modern!("{1,3}")])),
    whole_words(rule(&["minicpm5"], &[Step(r"\p{N}{1,3}", Cut::Whole), modern!("+")])),
    rule(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        &[modern!("")],
    ),
    rule(
        &["qwen35"],
        &[Step(
            concat!(
                any_contraction!(),
                r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
                r"|\s*[\r\n]+|\s+"
            ),
            Cut::BeforeBlank,
        )],
    ),
    rule(&["laguna"], &[Step(r"[^\n]+|\n+", Cut::Whole), modern!("")]),
    rule(
        &["ufakzeka"],
        &[Step(
            r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
            Cut::BeforeBlank,
        )],
    ),
    rule(
        &["bailingmoe", "bailingmoe2", "llada-moe"],
        &[Step(
            concat!(
                r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+"
            ),
            Cut::BeforeBlank,
        )],
    ),
    rule(
        &["seed-coder"],
        &[Step(
            concat!(
                any_contraction!(),
                r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+"
            ),
            Cut::BeforeBlank,
        )],
    ),
    rule(
        &["exaone-moe"],
        &[Step(
            concat!(
                any_contraction!(),
                r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}",
                r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+"
            ),
            Cut::BeforeBlank,
        )],
    ),
    rule(
        &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        &[cased!(concat!("(?:", any_contraction!(), ")?"), "{1,3}")],
    ),
    add_bos(whole_words(rule(&["tekken"], &[cased!("", "")]))),
    whole_words(rule(
        &["youtu"],
        &[
            Step(
                concat!(
                    r"[\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+",
                    r"|[\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}\x{ff1b}",
                    r"\x{ff0c}\x{3001}-\x{303f}\x{fe30}-\x{fe4f}]+|[\x{3105}-\x{312f}]+",
                    r"|[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+"
                ),
                Cut::Whole,
            ),
            cased!(concat!("(?:", any_contraction!(), ")?"), ""),
        ],
    )),
    rule(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        &[Step(r"\p{N}{1,3}", Cut::Whole), CHINESE_JAPANESE, DEEPSEEK3],
    ),
    rule(
        &["deepseek-llm"],
        &[
            Step(r"[\r\n]", Cut::Whole),
            CASED_LETTERS,
            Step(
                r"\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3001}\x{3002}]+",
                Cut::Whole,
            ),
            Step(r"\s+$", Cut::Whole),
            CHINESE_KOREAN,
            Step(r"\p{N}+", Cut::Whole),
        ],
    ),
    rule(
        &["deepseek-coder"],
        &[
            Step(r"[\r\n]", Cut::Whole),
            Step(r"\s?\p{L}+", Cut::Whole),
            Step(r"\s?\p{P}+", Cut::Whole),
            CHINESE_KOREAN,
            Step(r"\p{N}", Cut::Whole),
        ],
    ),
    rule(
        &["falcon"],
        &[Step(r"[\p{P}$+<=>^~|`]+", Cut::Whole), GPT2, Step("[0-9][0-9][0-9]", Cut::Whole)],
    ),
    rule(&["bloom", "poro-chat", "gpt3-finnish"], &[BLOOM]),
    rule(&["viking"], &[BLOOM, Step(r"\p{N}", Cut::Whole)]),
    rule(
        &["spark2_5"],
        &[
            Step(r"\p{N}{1,3}", Cut::Whole),
            CHINESE_JAPANESE,
            Step(
                concat!(
                    r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+",
                    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+"
                ),
                Cut::BeforeSpace,
            ),
            Step(r"\p{N}", Cut::Whole),
        ],
    ),
    rule(&["afmoe"], &[Step(r"\p{N}+", Cut::Thousands), ASIAN, DEEPSEEK3]),
    rule(
        &["tiny_aya", "cohere2moe"],
        &[
            Step(r"\d+\b", Cut::Thousands),
            cased!(concat!("(?:", any_contraction!(), ")?"), "{1,3}"),
        ],
    ),
    rule(&["superbpe"], &[Step(r"\p{N}+", Cut::Whole), Step(r"\d+", Cut::Thousands)]),
    rule(
        &["kimi-k2"],
        &[Step(
            concat!(
                r"\p{Han}+",
                r"|[^\r\n\p{L}\p{N}]?[[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]--\p{Han}]*",
                r"[[\p{Ll}\p{Lm}\p{Lo}\p{M}]--\p{Han}]+(?:",
                any_contraction!(),
                r")?|[^\r\n\p{L}\p{N}]?[[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]--\p{Han}]+",
                r"[[\p{Ll}\p{Lm}\p{Lo}\p{M}]--\p{Han}]*(?:",
                any_contraction!(),
                r")?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
            ),
            Cut::BeforeBlank,
        )],
    ),
    add_bos(rule(
        &["chameleon"],
        &[
            Step("<sentinel:[0-9]+>", Cut::Whole),
            Step("IMGIMG[A-I]{1,4}Z", Cut::Whole),
            Step(r"[\t\n]|    |  ", Cut::Whole),
            Step(r"\p{N}", Cut::Whole),
            Step(r"[\p{P}!-/:-@\[-`{-~]", Cut::Whole),
            GPT2,
        ],
    )),
    // Of these the spaces are letters: only line breaks cut.
    Rules {
        always_bos: true,
        ..rule(&["gemma4", "granite-embed-multi-311m"], &[Step(r"\n+", Cut::Whole)])
    },
    rule(&["sarvam-moe"], &[Step(r"\n+", Cut::Whole)]),
];
