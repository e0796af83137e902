# SPDX-License-Identifier: Apache-2.0
"""Large transformers written node by node (graph.py): decoders in the form of ONNX Runtime's
exporters, image transformers as PyTorch runs them but with fused attention; sizes are the published
ones, of the models' configuration files.

BERT large: Devlin et al. 2018. Qwen 3: Yang et al. 2025. Gemma 3: Gemma Team 2025. PixArt-Sigma:
Chen et al. 2024. Stable Diffusion 3.5 (MMDiT): Esser et al. 2024. FLUX.1: Black Forest Labs 2024.
Hunyuan-DiT: Li et al. 2024. One file holds one step: one token of every sequence, or one denoising
step.
"""
from onnx import TensorProto

from graph import Graph
from network import Entry

SOURCE = "ONNX graph of this project"


# ---- decoders ---------------------------------------------------------------------------------


def decoder_layer(g, i, x, c):
    """Grouped queries with normalised heads, gated MLP; `x` is a pair (normalised, residual)."""
    at, past = f"layers.{i}", f"past_key_values.{i}"
    width, q_width = c["width"], c["heads"] * c["head_width"]
    kv_width = c["kv_heads"] * c["head_width"]
    y, residual = x
    query = g.linear(f"{at}.q", y, width, q_width, False)
    query = g.head_norm(f"{at}.q_norm", query, c["heads"], c["head_width"])
    key = g.linear(f"{at}.k", y, width, kv_width, False)
    key = g.head_norm(f"{at}.k_norm", key, c["kv_heads"], c["head_width"])
    value = g.linear(f"{at}.v", y, width, kv_width, False)
    cache = ["B", c["kv_heads"], "P", c["head_width"]]
    if i > 0:
        g.input(f"{past}.key", cache)
    mixed = g.node("GroupQueryAttention", f"{at}.attention",
                   [query, key, value, f"{past}.key", g.input(f"{past}.value", cache),
                    "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"],
                   [f"{at}.attention", f"present.{i}.key", f"present.{i}.value"], fused=True,
                   num_heads=c["heads"], kv_num_heads=c["kv_heads"], do_rotary=1)
    for part in ("key", "value"):
        g.output(f"present.{i}.{part}", ["B", c["kv_heads"], None, c["head_width"]])
    y = g.linear(f"{at}.o", mixed, q_width, width, False)
    y = g.rms_norm(f"{at}.attention_post_norm", y, width) if c["post_norm"] else y
    y, residual = g.add_rms_norm(f"{at}.mlp_norm", residual, y, width)
    gate = g.linear(f"{at}.gate", y, width, c["hidden"], False)
    gate = (g.node("FastGelu", f"{at}.gelu", [gate], fused=True) if c["post_norm"] else
            g.silu(f"{at}.silu", gate))
    up = g.linear(f"{at}.up", y, width, c["hidden"], False)
    y = g.linear(f"{at}.down", g.binary("Mul", f"{at}.gated", gate, up), c["hidden"], width, False)
    y = g.rms_norm(f"{at}.mlp_post_norm", y, width) if c["post_norm"] else y
    return g.add_rms_norm(f"layers.{i + 1}.input_norm", residual, y, width)


def decoder(width, depth, heads, kv_heads, head_width, hidden, vocabulary, tied=False,
            post_norm=False):
    c = {"width": width, "heads": heads, "kv_heads": kv_heads, "head_width": head_width,
         "hidden": hidden, "post_norm": post_norm}
    g = Graph()
    ids = g.input("input_ids", ["B", "T"], TensorProto.INT64)
    g.input("seqlens_k", ["B"], TensorProto.INT32)
    cached = g.input("past_key_values.0.key", ["B", kv_heads, "P", head_width])
    lengths = [g.dim("total/cached", cached, 2), g.dim("total/new", ids, 1)]
    total = g.node("Add", "total/Add", lengths)
    g.node("Cast", "total_sequence_length", [total], to=TensorProto.INT32)
    for name in ("cos_cache", "sin_cache"):
        g.weight(name, 40960, head_width // 2)
    embedding = g.weight("embedding.weight", vocabulary, width)
    x = g.node("Gather", "embedding", [embedding, ids])
    x = (g.rms_norm("layers.0.input_norm", x, width), x)
    for i in range(depth):
        x = decoder_layer(g, i, x, c)
    if tied:
        head = g.node("Transpose", "head/Transpose", [embedding], perm=[1, 0])
        g.node("MatMul", "logits", [x[0], head])
    else:
        g.node("MatMul", "logits", [x[0], g.weight("head.weight", width, vocabulary)])
    g.output("logits", ["B", "T", vocabulary])
    return g.network()


def bert_large(width=1024, depth=24, heads=16):
    """Encoder with question-answering head; residual additions are part of the normalisation."""
    g = Graph()
    ids = [g.input(n, ["B", "T"], TensorProto.INT32) for n in ("input_ids", "segment_ids", "mask")]
    tables = [g.weight(f"{n}.weight", rows, width) for n, rows in
              (("word", 30522), ("position", 512), ("segment", 2))]
    norm = [g.weight("embedding.gamma", width), g.weight("embedding.beta", width)]
    g.node("EmbedLayerNormalization", "embedding", ids[:2] + [tables[0], tables[1], tables[2]] +
           norm + ids[2:], ["embedding", "lengths"], fused=True, epsilon=1e-12)
    x = "embedding"
    for i in range(depth):
        at = f"layers.{i}"
        y = g.node("Attention", f"{at}.attention",
                   [x, g.weight(f"{at}.qkv.weight", width, 3 * width),
                    g.weight(f"{at}.qkv.bias", 3 * width), "lengths"], fused=True, num_heads=heads)
        y = g.linear(f"{at}.o", y, width, width)
        x = skip_norm(g, f"{at}.norm1", x, y, width)
        x = skip_norm(g, f"{at}.norm2", x, mlp(g, f"{at}.mlp", x, width, 4 * width), width)
    g.node("Identity", "logits", [g.linear("answer", x, width, 2)])
    g.output("logits", ["B", "T", 2])
    return g.network()


def skip_norm(g, name, x, skip, width):
    return g.node("SkipLayerNormalization", name,
                  [x, skip, g.weight(name + ".gamma", width), g.weight(name + ".beta", width)],
                  fused=True, epsilon=1e-12)


# ---- diffusion transformers -------------------------------------------------------------------


def modulated(g, name, x, shift, scale):
    """LayerNorm(x) (1 + scale) + shift."""
    y = g.layer_norm(name, x, g.width)
    y = g.binary("Mul", name + "/scaled", y, g.binary("Add", name + "/factor", scale, "one"))
    return g.binary("Add", name + "/shifted", y, shift)


def gated_add(g, name, x, gate, y):
    return g.binary("Add", name + "/Add", x, g.binary("Mul", name + "/gate", gate, y))


def mlp(g, name, x, width, hidden, outputs=None):
    x = g.node("FastGelu", name + "/gelu", [g.linear(name + ".up", x, width, hidden)], fused=True)
    return g.linear(name + ".down", x, hidden, outputs or width)


def modulation(g, name, condition, count, bias=True):
    """`count` vectors [N, 1, W] from the condition."""
    y = g.linear(name, condition, g.width, count * g.width, bias)
    return g.split(name + "/parts", y, [g.width] * count, -1)


def start(width, tokens, channels, text, text_width, rotary=0):
    """Inputs: latents cut into patches, prompt states, a condition per image, and tables of the
    rotary embedding of `rotary` positions."""
    g = Graph()
    g.width, g.rotary = width, rotary > 0
    g.weight("one", 1)
    g.weight("eps", 1)
    image = g.linear("image_in", g.input("patches", ["N", tokens, channels]), channels, width)
    words = g.linear("text_in", g.input("prompt", ["N", text, text_width]), text_width, width)
    c = g.linear("time_in", g.input("condition", ["N", 1, 256]), 256, width)
    c = g.linear("time_out", g.silu("time_in/silu", c), width, width)
    for name in ("cos", "sin") if rotary else ():
        g.input(name, [1, rotary, width])
    return g, image, words, g.silu("condition/silu", c)


def finish(g, image, condition, channels):
    shift, scale = modulation(g, "last/modulation", condition, 2)
    image = modulated(g, "last", image, shift, scale)
    g.node("Identity", "noise", [g.linear("image_out", image, g.width, channels)])
    g.output("noise", ["N", None, channels])
    return g.network()


def projected(g, name, x, heads, norm):
    """Queries, keys, values; heads of queries and keys normalised."""
    width = g.width
    q, k, v = g.split(name + "/parts", g.linear(name, x, width, 3 * width), [width] * 3, -1)
    if norm:
        q = g.eager_head_norm(name + ".q_norm", q, heads, width // heads)
        k = g.eager_head_norm(name + ".k_norm", k, heads, width // heads)
    return q, k, v


def rotated(g, at, q, k):
    return g.eager_rotary(f"{at}.q_turn", q, g.width), g.eager_rotary(f"{at}.k_turn", k, g.width)


def stream_qkv(g, at, name, x, mod, heads):
    y = modulated(g, f"{at}.{name}_norm", x, mod[0], mod[1])
    return projected(g, f"{at}.{name}_qkv", y, heads, True)


def stream_rest(g, at, name, x, mod, mixed):
    """What follows the attention in one stream."""
    y = g.linear(f"{at}.{name}_o", mixed, g.width, g.width)
    x = gated_add(g, f"{at}.{name}_a", x, mod[2], y)
    y = modulated(g, f"{at}.{name}_norm2", x, mod[3], mod[4])
    y = mlp(g, f"{at}.{name}_mlp", y, g.width, 4 * g.width)
    return gated_add(g, f"{at}.{name}_m", x, mod[5], y)


def joint_block(g, at, image, words, condition, heads, tokens, text):
    """Two streams with weights of their own that attend to each other."""
    mi = modulation(g, f"{at}.image_mod", condition, 6)
    mw = modulation(g, f"{at}.text_mod", condition, 6)
    parts_i = stream_qkv(g, at, "image", image, mi, heads)
    parts_w = stream_qkv(g, at, "text", words, mw, heads)
    both = [g.concat(f"{at}.join.{n}", [w, i], 1) for n, w, i in zip("qkv", parts_w, parts_i)]
    if g.rotary:
        both[:2] = rotated(g, at, *both[:2])
    y = g.attention(f"{at}.attention", *both, heads)
    mixed = g.split(f"{at}.apart", y, [text, tokens], 1)
    return (stream_rest(g, at, "image", image, mi, mixed[1]),
            stream_rest(g, at, "text", words, mw, mixed[0]))


def single_block(g, at, x, condition, heads):
    """FLUX: attention and MLP side by side."""
    width = g.width
    shift, scale, gate = modulation(g, f"{at}.mod", condition, 3)
    y = g.linear(f"{at}.in", modulated(g, f"{at}.norm", x, shift, scale), width, 7 * width)
    q, k, v, h = g.split(f"{at}.parts", y, [width, width, width, 4 * width], -1)
    q = g.eager_head_norm(f"{at}.q_norm", q, heads, width // heads)
    k = g.eager_head_norm(f"{at}.k_norm", k, heads, width // heads)
    q, k = rotated(g, at, q, k)
    h = g.node("FastGelu", f"{at}.gelu", [h], fused=True)
    y = g.concat(f"{at}.both", [g.attention(f"{at}.attention", q, k, v, heads), h], -1)
    return gated_add(g, f"{at}.out", x, gate, g.linear(f"{at}.o", y, 5 * width, width))


def stable_diffusion_3_5(width=2432, depth=38, heads=38):
    g, image, words, c = start(width, 4096, 64, 333, 4096)
    for i in range(depth):
        image, words = joint_block(g, f"blocks.{i}", image, words, c, heads, 4096, 333)
    return finish(g, image, c, 64)


def flux(width=3072, heads=24, doubles=19, singles=38, text=512):
    g, image, words, c = start(width, 4096, 64, text, 4096, 4096 + text)
    for i in range(doubles):
        image, words = joint_block(g, f"double.{i}", image, words, c, heads, 4096, text)
    x = g.concat("streams", [words, image], 1)
    for i in range(singles):
        x = single_block(g, f"single.{i}", x, c, heads)
    return finish(g, g.split("streams/apart", x, [text, 4096], 1)[1], c, 64)


def cross_block(g, at, x, words, m, heads, hidden):
    """Self attention, cross attention to the prompt, MLP."""
    width = g.width
    y = modulated(g, f"{at}.norm", x, m[0], m[1])
    y = g.attention(f"{at}.attention", *projected(g, f"{at}.qkv", y, heads, False), heads)
    x = gated_add(g, f"{at}.a", x, m[2], g.linear(f"{at}.o", y, width, width))
    q = g.linear(f"{at}.cross_q", x, width, width)
    y = g.linear(f"{at}.cross_kv", words, width, 2 * width)
    k, v = g.split(f"{at}.cross_parts", y, [width] * 2, -1)
    y = g.linear(f"{at}.cross_o", g.attention(f"{at}.cross", q, k, v, heads), width, width)
    x = g.binary("Add", f"{at}.cross_add", x, y)
    y = modulated(g, f"{at}.norm2", x, m[3], m[4])
    return gated_add(g, f"{at}.m", x, m[5], mlp(g, f"{at}.mlp", y, width, hidden))


def pixart_sigma(width=1152, depth=28, heads=16):
    """One modulation for all blocks, to which every block adds a table of its own."""
    g, x, words, c = start(width, 4096, 16, 300, 4096)
    shared = g.linear("modulation", c, width, 6 * width)
    for i in range(depth):
        table = g.weight(f"blocks.{i}.table", 6 * width)
        own = g.binary("Add", f"blocks.{i}.table/Add", shared, table)
        mod = g.split(f"blocks.{i}.mod", own, [width] * 6, -1)
        x = cross_block(g, f"blocks.{i}", x, words, mod, heads, 4 * width)
    return finish(g, x, c, 32)


def shifted_block(g, at, x, words, condition, heads, hidden):
    """As cross_block, but the condition only shifts the first normalisation."""
    width = g.width
    y = g.binary("Add", f"{at}.shifted", g.layer_norm(f"{at}.norm", x, width),
                 g.linear(f"{at}.mod", condition, width, width))
    q, k, v = projected(g, f"{at}.qkv", y, heads, True)
    y = g.attention(f"{at}.attention", *rotated(g, at, q, k), v, heads)
    x = g.binary("Add", f"{at}.a", x, g.linear(f"{at}.o", y, width, width))
    y = g.linear(f"{at}.cross_q", g.layer_norm(f"{at}.norm2", x, width), width, width)
    q = g.eager_head_norm(f"{at}.cross_q_norm", y, heads, width // heads)
    k, v = g.split(f"{at}.cross_parts", g.linear(f"{at}.cross_kv", words, width, 2 * width),
                   [width] * 2, -1)
    y = g.linear(f"{at}.cross_o", g.attention(f"{at}.cross", q, k, v, heads), width, width)
    x = g.binary("Add", f"{at}.cross_add", x, y)
    y = mlp(g, f"{at}.mlp", g.layer_norm(f"{at}.norm3", x, width), width, hidden)
    return g.binary("Add", f"{at}.m", x, y)


def hunyuan_dit(width=1408, depth=40, heads=16, hidden=6144):
    """The second half of the blocks also reads what the first half left (a U)."""
    g, x, words, c = start(width, 4096, 16, 333, 1024, 4096)
    kept = []
    for i in range(depth):
        if i >= depth // 2:
            y = g.concat(f"blocks.{i}.skip/Concat", [x, kept.pop()], -1)
            y = g.layer_norm(f"blocks.{i}.skip_norm", y, 2 * width)
            x = g.linear(f"blocks.{i}.skip", y, 2 * width, width)
        x = shifted_block(g, f"blocks.{i}", x, words, c, heads, hidden)
        kept += [x] if i < depth // 2 else []
    return finish(g, x, c, 32)


STEP = "N x 4096 x C latents cut into patches, prompt states, a condition"
IDS = "B x T token ids, a key-value cache and its lengths"


def text_model(name, what, *sizes, **more):
    return Entry(name, "text-generation", what + ", decode; fused operators of ONNX Runtime, fp16",
                 SOURCE, {"B": 1, "T": 1, "P": 1024}, IDS, lambda: decoder(*sizes, **more))


def image_model(name, what, build):
    return Entry(name, "image-generation", what + ", one denoising step at 1024 x 1024; fused "
                 "operators of ONNX Runtime, fp16", SOURCE, {"N": 1}, STEP, build)


ENTRIES = [
    Entry("bert_large_qa", "text-encoding", "BERT large with question answering; fused operators "
          "of ONNX Runtime, fp16", SOURCE, {"B": 1, "T": 384}, "B x T token ids, segments, mask",
          bert_large),
    text_model("gemma3_12b_decode", "Gemma 3 12B, text part", 3840, 48, 16, 8, 256, 15360, 262208,
               tied=True, post_norm=True),
    text_model("qwen3_8b_decode", "Qwen 3 8B", 4096, 36, 32, 8, 128, 12288, 151936),
    text_model("qwen3_14b_decode", "Qwen 3 14B", 5120, 40, 40, 8, 128, 17408, 151936),
    image_model("flux_dit", "FLUX.1 transformer (12 B)", flux),
    image_model("hunyuan_dit", "Hunyuan-DiT 1.2 (1.5 B)", hunyuan_dit),
    image_model("pixart_sigma_dit", "PixArt-Sigma transformer (0.6 B)", pixart_sigma),
    image_model("sd35_large_dit", "Stable Diffusion 3.5 large, transformer (8 B)",
                stable_diffusion_3_5),
]
