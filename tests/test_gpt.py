"""The GPT: its forward pass beside numpy's, the cache beside a pass without it, generation, and weights of others."""

import json
import math

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F
from tinygrad_lite.nn.generation import min_p, temperature, top_k, top_p

import tinygrad_lite as tl
from tinygrad_lite.models import GPT, GPTConfig

KINDS = [{}, {"positions": "rotary", "norm": "rms", "bias": False}, {"positions": "rotary", "tied": False}, {"norm": "rms", "gelu": "tanh"}]


def model(block_size=8, vocab_size=11, **settings):
    tl.manual_seed(0)
    made = GPT(GPTConfig(vocab_size, block_size, 2, 2, 16, **settings)).double()
    for p in made.parameters():  # larger than they start, so that attention matters
        p.data = p.data * 4 if p.ndim == 2 else p.data + 0.1 * tl.randn(*p.shape, dtype=tl.float64)
    return made


def by_numpy(weights, tokens, layers, heads, eps=1e-5):
    """GPT-2 as its paper has it, of weights by the names of the usual checkpoints."""
    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weights[name + ".weight"] + weights[name + ".bias"]

    def conv(x, name):
        return x @ weights[name + ".weight"] + weights[name + ".bias"]

    h = weights["wte.weight"][tokens] + weights["wpe.weight"][: tokens.shape[1]]
    B, T, C = h.shape
    for i in range(layers):
        q, k, v = np.split(conv(norm(h, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn"), 3, -1)
        q, k, v = (x.reshape(B, T, heads, -1).transpose(0, 2, 1, 3) for x in (q, k, v))
        scores = np.where(np.tri(T, dtype=bool), q @ k.transpose(0, 1, 3, 2) / math.sqrt(C // heads), -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        y = (p / p.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(B, T, C)
        h = h + conv(y, f"h.{i}.attn.c_proj")
        x = conv(norm(h, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        x = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        h = h + conv(x, f"h.{i}.mlp.c_proj")
    return norm(h, "ln_f") @ weights["wte.weight"].T


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_a_gpt2_checkpoint_is_read(prefix, tmp_path):
    rng, C, layers, V, T = np.random.default_rng(0), 12, 2, 13, 9
    shapes = {"wte.weight": (V, C), "wpe.weight": (T, C), "ln_f.weight": (C,), "ln_f.bias": (C,)}
    for i in range(layers):
        shapes |= {f"h.{i}.{name}": shape for name, shape in {
            "ln_1.weight": (C,), "ln_1.bias": (C,), "ln_2.weight": (C,), "ln_2.bias": (C,), "attn.c_attn.weight": (C, 3 * C), "attn.c_attn.bias": (3 * C,),
            "attn.c_proj.weight": (C, C), "attn.c_proj.bias": (C,), "mlp.c_fc.weight": (C, 4 * C), "mlp.c_fc.bias": (4 * C,), "mlp.c_proj.weight": (4 * C, C), "mlp.c_proj.bias": (C,)}.items()}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    masks = {f"h.{i}.attn.bias": np.tri(T).reshape(1, 1, T, T) for i in range(layers)}
    tl.save({prefix + name: x for name, x in (weights | masks).items()}, tmp_path / "model.safetensors")
    config = {"model_type": "gpt2", "activation_function": "gelu_new", "vocab_size": V, "n_positions": T, "n_embd": C, "n_layer": layers, "n_head": 3, "layer_norm_epsilon": 1e-4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    read = GPT.from_pretrained(tmp_path).double().eval()
    read.load_state_dict({k: v for k, v in read.state_dict().items()})
    tokens = rng.integers(0, V, (2, 7))
    rounded = {name: x.astype(np.float32).astype(float) for name, x in weights.items()}
    np.testing.assert_allclose(read(tl.tensor(tokens)).detach().array, by_numpy(rounded, tokens, layers, 3, 1e-4), rtol=1e-9, atol=1e-9)
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(ValueError, match="reads gpt2 with gelu_new or gelu, and config.json says 'llama'"):
        GPT.from_pretrained(tmp_path)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_cached_logits_are_those_without_a_cache(settings):
    from tinygrad_lite.models.gpt import Cache

    gpt, tokens = model(**settings).eval(), tl.randint(0, 11, (2, 8))
    whole, cache = gpt(tokens).detach().array, Cache(8)
    parts = [gpt(tokens[:, a:b], cache).detach().array for a, b in ((0, 3), (3, 4), (4, 7), (7, 8))]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_generation_past_the_context_is_the_same_with_and_without_a_cache(settings):
    gpt = model(**settings)
    start = tl.randint(0, 11, (3, 5))
    found = []
    for cached in (True, False):
        tl.manual_seed(3)
        found.append(gpt.generate(start, 40, [temperature(1.5), top_k(9)], cached=cached))
    assert found[0].shape == (3, 45) and found[0].equal(found[1]) and found[0][:, :5].equal(start) and gpt.training


def test_each_module_has_its_own_mode_again_after_generation():
    gpt = model()
    gpt.transformer["h"][0].eval()  # frozen
    modes = [m.training for m in gpt.modules()]
    gpt.generate([[1, 2]], 2)
    next(gpt.stream([[1, 2]], 2)), gpt.beam_search([1, 2], 2, 2)
    assert [m.training for m in gpt.modules()] == modes and len(set(modes)) == 2


def test_rotary_positions_look_back_on_a_window_and_know_distances_only():
    gpt = model(positions="rotary").eval()
    tokens = tl.randint(0, 11, (1, 30))
    whole = gpt(tokens).detach().array
    moved = tokens.clone()
    moved[:, 0] = (moved[:, 0] + 1) % 11
    seen = np.abs(gpt(moved).detach().array - whole).max((0, 2)) > 1e-12
    assert seen[:15].all() and not seen[15:].any()  # two layers, each 7 tokens back
    cache_free = gpt(tokens[:, 15:]).detach().array
    np.testing.assert_allclose(cache_free[:, -1], whole[:, -1], rtol=1e-9)


@pytest.mark.parametrize("processors", [[], [temperature(0.7)], [top_k(3)], [top_p(0.9)], [min_p(0.1)], [temperature(0)]])
def test_every_sampler_generates(processors):
    gpt = model()
    tl.manual_seed(0)
    found = gpt.generate([[1, 2]], 6, processors)
    greedy = gpt.generate([[1, 2]], 6, do_sample=False)
    assert found.shape == (1, 8) and ((found.array >= 0) & (found.array < 11)).all()
    assert greedy.equal(gpt.generate(tl.tensor([1, 2]), 6, [temperature(0)]))


def test_it_ends_at_the_end_token_and_streams():
    gpt = model()
    greedy = gpt.generate([[1, 2], [3, 4]], 12, do_sample=False).array
    end = int(greedy[0, 4])
    found = gpt.generate([[1, 2], [3, 4]], 12, eos_token=end, do_sample=False).array
    for row, full in zip(found, greedy):
        stop = next((i for i in range(2, len(full)) if full[i] == end), len(full))
        assert row[: stop + 1].tolist() == full[: stop + 1][: len(row)].tolist() and set(row[stop:].tolist()) <= {end}
    assert [int(t[0]) for t in gpt.stream([1, 2], 5, do_sample=False)] == greedy[0, 2:7].tolist()


def test_a_beam_of_one_is_greedy_and_a_wide_one_no_worse():
    gpt = model()
    one = gpt.beam_search([1, 2, 3], 1, 5)
    assert one == gpt.generate([1, 2, 3], 5, do_sample=False)[0].tolist()

    def score(sequence):
        logp = F.log_softmax(gpt.eval()(tl.tensor([sequence[:-1]])).detach(), -1).array[0]
        return sum(logp[i, token] for i, token in enumerate(sequence[1:]) if i >= 2)

    assert score(gpt.beam_search([1, 2, 3], 11, 5)) >= score(one) - 1e-12


def test_it_learns():
    tl.manual_seed(0)
    gpt = GPT(GPTConfig(7, 12, 1, 2, 24))
    optimizer = tl.optim.AdamW(gpt.parameters(), lr=1e-2)
    tokens = (tl.arange(13)[None] + tl.arange(6)[:, None]) % 7
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(gpt(tokens[:, :-1]).reshape(-1, 7), tokens[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05 and gpt.generate([[3, 4]], 8, do_sample=False)[0].tolist() == [3, 4, 5, 6, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("call, error, words", [
    (lambda: GPTConfig(0), ValueError, "vocab_size is a whole number from 1 on"), (lambda: GPTConfig(5, n_embd=6, n_head=4), ValueError, "n_embd 6 is no multiple of n_head 4"),
    (lambda: GPTConfig(5, positions="rotery"), ValueError, "'learned' or 'rotary', not 'rotery'; did you mean 'rotary'"), (lambda: GPTConfig(5, norm="batch"), ValueError, "norm is 'layer' or 'rms'"),
    (lambda: model()(tl.zeros(1, 9, dtype=tl.int64)), ValueError, "9 tokens are more than block_size 8"), (lambda: model().generate([[]], 3), ValueError, "no token to go on from"),
    (lambda: model().generate([[1]], -1), ValueError, "max_new_tokens")])
def test_what_is_wrong_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()
