//! The tool's arguments.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Run and examine GGUF language models with the engine of pagelm.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Metadata, tensors, memory need, and whether the model can run
    Inspect(Inspect),
    /// Text to token ids
    Tokenize(Tokenize),
    /// Token ids to text
    Detokenize(Detokenize),
    /// Messages to the text that the model's chat template makes of them
    Render(Render),
    /// Logits after the last of the given tokens
    Logits(Logits),
    /// Losses and perplexity of a text
    Score(Score),
    /// A continuation or an answer
    Generate(Generate),
    /// A model as static files, with the pagelm.json that tells the browser of them
    Pack(Pack),
}

/// How to run the model.
#[derive(ClapArgs)]
pub(crate) struct Run {
    /// Threads; all cores by default
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Positions of the KV cache; what the model was trained for, up to 4096, by default
    #[arg(long)]
    pub(crate) context: Option<usize>,
    #[command(flatten)]
    pub(crate) given: Tokens,
}

/// Which tokenizer.
#[derive(ClapArgs)]
pub(crate) struct Tokens {
    /// A tokenizer.json in place of the model's own tokenizer
    #[arg(long)]
    pub(crate) tokenizer: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct Inspect {
    /// A .gguf file
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: Tokens,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Tokenize {
    /// A .gguf file; its vocabulary is enough
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: Tokens,
    /// A file with the text, taken byte for byte
    #[arg(long)]
    pub(crate) text_file: PathBuf,
    /// Add the model's special tokens, and read special tokens written in the text
    #[arg(long)]
    pub(crate) special: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Pack {
    /// A .gguf file, or the first part of a split one
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: Tokens,
    /// The folder to write to
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// MiB that are checked and repaired together; a file each, unless `--whole`
    #[arg(long, default_value_t = 16.0)]
    pub(crate) record_mb: f64,
    /// Leave the .gguf in one piece
    #[arg(long)]
    pub(crate) whole: bool,
    /// The model's name, if not that of the file
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The model's licence, if not that of the file
    #[arg(long)]
    pub(crate) license: Option<String>,
    /// Positions of the KV cache, where the page does not say
    #[arg(long)]
    pub(crate) context: Option<usize>,
    /// Fields of a request that does not have them, as JSON: {"temperature": 0.7}
    #[arg(long)]
    pub(crate) sampling: Option<String>,
    /// A file with a chat template in place of the model's own
    #[arg(long)]
    pub(crate) chat_template: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Detokenize {
    /// A .gguf file; its vocabulary is enough
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: Tokens,
    /// Token ids, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) tokens: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Render {
    /// A .gguf file
    #[arg(required_unless_present = "template")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) given: Tokens,
    /// A Jinja template instead of the model's own
    #[arg(long)]
    pub(crate) template: Option<PathBuf>,
    /// The text of the token that begins a sequence
    #[arg(long)]
    pub(crate) bos_token: Option<String>,
    /// The text of the token that ends one
    #[arg(long)]
    pub(crate) eos_token: Option<String>,
    /// A JSON file: an array of messages, or an object with `messages`, `tools` and further variables
    #[arg(long)]
    pub(crate) messages: PathBuf,
    /// Give the template today's date (UTC), which changes from day to day
    #[arg(long)]
    pub(crate) now: bool,
    /// Leave out the beginning of the assistant's answer
    #[arg(long)]
    pub(crate) no_generation_prompt: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Logits {
    /// A .gguf file
    pub(crate) model: PathBuf,
    /// Token ids, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) tokens: Vec<u32>,
    #[command(flatten)]
    pub(crate) run: Run,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Score {
    /// A .gguf file
    pub(crate) model: PathBuf,
    /// A file with the text, taken byte for byte
    #[arg(long, required_unless_present = "tokens")]
    pub(crate) text_file: Option<PathBuf>,
    /// Token ids instead, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) tokens: Vec<u32>,
    #[command(flatten)]
    pub(crate) run: Run,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Generate {
    /// A .gguf file
    pub(crate) model: PathBuf,
    /// A file with a prompt to continue, taken byte for byte
    #[arg(long, required_unless_present = "messages", conflicts_with = "messages")]
    pub(crate) prompt_file: Option<PathBuf>,
    /// A JSON file with messages to answer
    #[arg(long)]
    pub(crate) messages: Option<PathBuf>,
    /// Tokens at most
    #[arg(long)]
    pub(crate) max_tokens: usize,
    /// 0 takes the most probable token each time
    #[arg(long, default_value_t = 0.0)]
    pub(crate) temperature: f32,
    /// Sample among this many tokens; 0 for all
    #[arg(long, default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Sample among the tokens that make up this probability
    #[arg(long, default_value_t = 1.0)]
    pub(crate) top_p: f32,
    /// Sample among tokens at least this probable, relative to the most probable
    #[arg(long, default_value_t = 0.0)]
    pub(crate) min_p: f32,
    /// Penalty of tokens that came before; 1 for none
    #[arg(long, default_value_t = 1.0)]
    pub(crate) repetition_penalty: f32,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// When the context is full: `stop`, or `shift` to forget the oldest and go on
    #[arg(long, default_value = "stop")]
    pub(crate) context_policy: String,
    #[command(flatten)]
    pub(crate) run: Run,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
