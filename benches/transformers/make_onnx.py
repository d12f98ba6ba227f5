"""Makes a folder for transformers.js out of a llama GGUF: `model_quantized.onnx` and its JSON files.

    pip install gguf numpy onnx onnxruntime
    python3 make_onnx.py MODEL.gguf FOLDER

So that both run the same model when its authors' ONNX files are not at hand. The graph is in
transformers.js's favour: attention is ONNX Runtime's fused GroupQueryAttention, and only the
last position's logits are computed. The weights are those of the GGUF, quantised to 8 bits as
the hub's `q8` files are (ONNX Runtime's dynamic quantisation).
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
from gguf import GGUFReader, dequantize
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

MICROSOFT = "com.microsoft"


class Graph:
    """Nodes and weights of an ONNX graph; `add` returns the name of a node's first output."""

    def __init__(self):
        self.nodes = []
        self.weights = []

    def add(self, op, inputs, outputs=1, domain="", **attributes):
        name = f"{op}_{len(self.nodes)}"
        outputs = [f"{name}.{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, name, domain=domain, **attributes))
        return outputs[0]

    def weight(self, name, value):
        self.weights.append(numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name


class Model:
    """Metadata and weights of a GGUF file."""

    def __init__(self, path):
        reader = GGUFReader(path)
        self.fields = {key: field.contents() for key, field in reader.fields.items()}
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        assert self.fields["general.architecture"] == "llama", "only llama is known here"
        self.n_heads = self.key("attention.head_count")
        self.n_kv_heads = self.key("attention.head_count_kv")
        self.width = self.key("embedding_length")
        self.head_dim = self.width // self.n_heads
        self.n_layers = self.key("block_count")
        self.context = self.key("context_length")

    def key(self, name):
        return self.fields[f"llama.{name}"]

    def tensor(self, name):
        """As f32 `[rows, columns]`."""
        tensor = self.tensors[f"{name}.weight"]
        return dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)


def decoder(model):
    """The graph as transformers.js asks for it: `past_key_values.*` in, `logits` and `present.*` out."""
    graph = Graph()
    norm = lambda x, name: graph.add(
        "SimplifiedLayerNormalization",
        [x, graph.weight(name, model.tensor(name))],
        axis=-1,
        epsilon=model.key("attention.layer_norm_rms_epsilon"),
    )
    product = lambda x, name: graph.add("MatMul", [x, graph.weight(name, model.tensor(name).T)])

    # Keys that each sequence sees, less one; and the longest.
    one, axis = graph.weight("one", numpy.array([1])), graph.weight("axis", numpy.array([1]))
    seen = graph.add("ReduceSum", ["attention_mask", axis], keepdims=0)
    seen = graph.add("Cast", [graph.add("Sub", [seen, one])], to=TensorProto.INT32)
    total = graph.add("Gather", [graph.add("Shape", ["attention_mask"]), graph.weight("i1", numpy.array(1))])
    total = graph.add("Cast", [total], to=TensorProto.INT32)

    angles = numpy.outer(
        numpy.arange(model.context),
        model.key("rope.freq_base") ** (-numpy.arange(0, model.head_dim, 2) / model.head_dim),
    )
    cos = graph.weight("cos", numpy.cos(angles).astype(numpy.float32))
    sin = graph.weight("sin", numpy.sin(angles).astype(numpy.float32))

    cache_in, cache_out = [], []
    cache = lambda name, length: helper.make_tensor_value_info(
        name, TensorProto.FLOAT, ["batch_size", model.n_kv_heads, length, model.head_dim]
    )
    x = graph.add("Gather", [graph.weight("token_embd", model.tensor("token_embd")), "input_ids"])
    for i in range(model.n_layers):
        layer = f"blk.{i}"
        h = norm(x, f"{layer}.attn_norm")
        q, k, v = (product(h, f"{layer}.attn_{part}") for part in "qkv")
        past = [f"past_key_values.{i}.{kind}" for kind in ("key", "value")]
        present = [f"present.{i}.{kind}" for kind in ("key", "value")]
        h = graph.add(
            "GroupQueryAttention",
            [q, k, v, *past, seen, total, cos, sin],
            [f"attention_{i}", *present],
            domain=MICROSOFT,
            num_heads=model.n_heads,
            kv_num_heads=model.n_kv_heads,
            do_rotary=1,
            rotary_interleaved=1,  # the converter to GGUF has put the pairs side by side
        )
        cache_in += [cache(name, "past_sequence_length") for name in past]
        cache_out += [cache(name, "total_sequence_length") for name in present]
        x = graph.add("Add", [x, product(h, f"{layer}.attn_output")])
        h = norm(x, f"{layer}.ffn_norm")
        gate, up = product(h, f"{layer}.ffn_gate"), product(h, f"{layer}.ffn_up")
        silu = graph.add("Mul", [gate, graph.add("Sigmoid", [gate])])
        x = graph.add("Add", [x, product(graph.add("Mul", [silu, up]), f"{layer}.ffn_down")])

    last = graph.add("Gather", [x, graph.weight("last", numpy.array([-1]))], axis=1)
    head = "output" if "output.weight" in model.tensors else "token_embd"
    weight = graph.weight("lm_head", model.tensor(head).T)
    graph.add("MatMul", [norm(last, "output_norm"), weight], ["logits"])

    ids = lambda name, length: helper.make_tensor_value_info(name, TensorProto.INT64, ["batch_size", length])
    n_vocab = len(model.fields["tokenizer.ggml.tokens"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 1, n_vocab])
    inputs = [ids("input_ids", "sequence_length"), ids("attention_mask", "total_sequence_length"), *cache_in]
    made = helper.make_graph(graph.nodes, "llama", inputs, [logits, *cache_out], graph.weights)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def json_files(model):
    """What transformers.js reads beside the graph: a byte-level BPE as GPT-2's, and the shape of the cache."""
    tokens = model.fields["tokenizer.ggml.tokens"]
    types = model.fields["tokenizer.ggml.token_type"]
    special = [i for i, kind in enumerate(types) if kind == 3]
    end = model.fields["tokenizer.ggml.eos_token_id"]
    added = [
        {"id": i, "content": tokens[i], "special": True, "normalized": False,
         "single_word": False, "lstrip": False, "rstrip": False}
        for i in special
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    yield "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "post_processor": None, "decoder": byte_level,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": model.fields["tokenizer.ggml.merges"],
        },
    }
    yield "tokenizer_config.json", {
        "tokenizer_class": "GPT2Tokenizer", "model_max_length": model.context,
        "eos_token": tokens[end], "pad_token": tokens[end], "clean_up_tokenization_spaces": False,
    }
    yield "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": len(tokens),
        "hidden_size": model.width, "num_hidden_layers": model.n_layers,
        "num_attention_heads": model.n_heads, "num_key_value_heads": model.n_kv_heads,
        "eos_token_id": end, "bos_token_id": model.fields["tokenizer.ggml.bos_token_id"],
        "max_position_embeddings": model.context,
    }
    yield "generation_config.json", {"eos_token_id": end, "pad_token_id": end}


def main():
    source, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    model = Model(source)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "model.onnx"
        onnx.save(decoder(model), plain)
        # Types are not inferred through the operators that are ONNX Runtime's own.
        options = {"DefaultTensorType": TensorProto.FLOAT}
        quantised = folder / "onnx" / "model_quantized.onnx"
        quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8, extra_options=options)
    for name, content in json_files(model):
        (folder / name).write_text(json.dumps(content))


main()
