# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore attention
#
# After this notebook you can say what attention computes, why its scores are divided by √d, and what masks,
# heads and positions are for. At the end a small model learns to look things up, and you see from its weights
# how it does it. You need numpy and the idea of a gradient. All of it runs in about ten seconds.

# %%
# %config InlineBackend.figure_format = "retina"
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim

F = nn.functional
plt.rcParams["figure.constrained_layout.use"] = True
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
tl.manual_seed(0)
print("tinygrad_lite", tl.__version__)

# %% [markdown]
# ## A weighted mean answers questions between the entries
#
# A Python dictionary has an answer for its keys, and for nothing else. Here are temperatures of a day, every
# three hours. What was the temperature at 10 o'clock?
#
# There is no such key. But 9 and 12 are near, and 9 is nearer. A sensible answer is a **weighted mean** of
# the values: give each entry a weight, such that all weights are at least 0 and add up to 1, and add up
# weight times value.

# %%
hours = np.arange(0, 24, 3)
temperatures = np.array([9.0, 7.0, 8.0, 13.0, 19.0, 21.0, 17.0, 12.0])
print(dict(zip(hours.tolist(), temperatures.tolist())))

weights = np.array([0, 0, 0, 2 / 3, 1 / 3, 0, 0, 0])  # 9 counts twice as much as 12
print("at 10 o'clock:", (weights @ temperatures).round(1))

# %% [markdown]
# Two thirds of 13 and one third of 19 make 15. These weights were chosen by hand. Attention computes them: it
# compares the question, called the **query**, with every **key**, and turns the comparisons into weights.

# %% [markdown]
# ## The dot product says how similar two vectors are
#
# To compare two things, write each of them as a vector. An hour is a direction on the face of a clock with 24
# hours. The dot product of two directions is the cosine of the angle between them: 1 for the same hour, 0 for
# hours that are six hours apart, and -1 for opposite ones. It also knows that 23 o'clock is near 1 o'clock,
# which a plain difference does not.

# %%
def direction(hour):
    angle = np.asarray(hour) / 24 * 2 * np.pi
    return np.stack([np.sin(angle), np.cos(angle)], -1)  # 0 o'clock is on top

keys = direction(hours)
query = direction(10)
scores = keys @ query
for hour, score in zip(hours, scores):
    print(f"{hour:2} o'clock fits {score:+.2f}")

# %% [markdown]
# The **softmax** turns these scores into weights: it takes the exponential of each, which makes them
# positive, and divides by the sum. A factor on the scores decides how sharp the result is. With a large
# factor the best key takes nearly everything; with the factor 0 all weights are equal. The inverse of this
# factor is called the **temperature**.
#
# On the left are the weights for 10 o'clock, drawn on the clock. On the right are the answers for all hours
# of the day.

# %%
def look_up(query, keys, values, factor):
    weights = tl.softmax(factor * query @ keys.T)  # (queries, keys), rows add up to 1
    return weights @ values, weights

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=(1, 1.7))
_, weights = look_up(query, keys, temperatures, 8)
left.plot(*direction(np.linspace(0, 24)).T, color="lightgray", zorder=0)
left.scatter(*keys.T, s=900 * weights + 4, color="C0")
left.plot([0, query[0]], [0, query[1]], color="C1", lw=3)
for hour, key, weight in zip(hours, keys, weights):
    label = f"{hour} h\n{weight:.0%}"
    left.text(*(1.45 * key), label, ha="center", va="center", fontsize=9)
left.set(title="weights for 10 o'clock", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
left.set_aspect("equal")
left.axis("off")

day = np.linspace(0, 24, 200)
for factor, style in ((0, ":"), (2, "--"), (8, "-"), (100, "-.")):
    answers, _ = look_up(direction(day), keys, temperatures, factor)
    right.plot(day, answers, style, label=f"factor {factor}")
right.plot(hours, temperatures, "ko", label="entries")
right.set(title="answers", xlabel="hour of the query", ylabel="temperature")
right.set_xticks(range(0, 25, 3))
right.legend(fontsize=8)
plt.show()

# %% [markdown]
# This is all that attention is: `softmax(factor * queries @ keys.T) @ values`. In a neural network, queries,
# keys and values are computed from the data by learned matrices, so the network learns what to compare, and
# what to answer.

# %% [markdown]
# ## Why the scores are divided by √d
#
# The vectors of a network have more than two numbers. Take queries and keys of `d` random numbers, each with
# variance 1. Their dot product is a sum of `d` products of variance 1, so its variance is `d`, and its
# standard deviation √d. Long vectors have large scores, though nothing fits better than before:

# %%
rng = np.random.default_rng(0)
for d in (4, 64, 1024):
    q, k = rng.standard_normal((2, 2000, d))
    spread = (q * k).sum(-1).std()
    print(f"d = {d:4}: standard deviation {spread:4.1f} = {spread / d**0.5:.2f} √d")

# %% [markdown]
# Large scores make a sharp softmax. Below, a random query looks at 16 random keys. Without the division, the
# larger `d` is, the more of the weight is with a single key. With it, the weights do not depend on `d`.
#
# On the right is what that means for learning: how much the weights still move when the scores move. Where
# one key has all the weight, they hardly move at all, and a network that starts in such a place learns
# slowly.

# %%
def moves(p):
    """How far the weights move with the scores, at most: the norm of the Jacobian."""
    jacobian = p[..., :, None] * np.eye(p.shape[-1]) - p[..., :, None] * p[..., None, :]
    return np.linalg.norm(jacobian, 2, (-2, -1))

sizes = 4 ** np.arange(6)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for label, power, style in (("q · k", 0, "o--"), ("q · k / √d", 0.5, "o-")):
    largest, moved = [], []
    for d in sizes:
        q, k = rng.standard_normal((300, 1, d)), rng.standard_normal((300, 16, d))
        p = tl.softmax((q @ k.mT)[:, 0] / d**power)
        largest.append(p.max(-1).mean())
        moved.append(np.median(moves(p)))
    left.plot(sizes, largest, style, label=label)
    right.plot(sizes, moved, style, label=label)
left.set(title="largest of 16 weights", xscale="log", xlabel="d", ylim=(0, 1))
right.set(title="how much the weights move", xscale="log", yscale="log", xlabel="d")
left.legend()
plt.show()
assert largest[-1] < 0.35, "with the division it stays where it was"

# %% [markdown]
# ## The gradient passes softmax in one line
#
# Let `p` be the weights of one query, and `g` the gradient that arrives at them: how much the loss grows with
# each weight. The gradient of the scores is
#
# `p * (g - (p * g).sum())`
#
# In words: the loss grows with a score if it grows with that key's weight more than with the weighted average
# of all keys, and a key that has more weight matters more. These gradients add up to 0, because adding the
# same number to all scores changes no weight.

# %%
s = tl.tensor([1.0, 2.0, 0.0, -1.0], dtype=tl.float64, requires_grad=True)
g = np.array([0.0, 1.0, 0.0, -1.0])  # the loss grows with the second weight, and falls with the last
p = tl.softmax(s)
p.backward(tl.tensor(g))

by_hand = p.array * (g - (p.array * g).sum())
assert np.allclose(by_hand, s.grad.array)
assert tl.autograd.gradcheck(tl.softmax, (s,))  # and by finite differences
print("weights ", p.array.round(3))
print("gradient", by_hand.round(3), "which adds up to", abs(by_hand.sum().round(9)))

# %% [markdown]
# The third weight has the gradient 0, and yet its score does not. If the third key gains weight, the other
# keys lose it, above all the second, and there the loss falls. The library does the same, written for any
# number of dimensions:

# %%
tape = tl.tape(tl.softmax(s), {"s": s})
tape.backward(tl.tensor(g))
print(tape.backward)

# %% [markdown]
# ## A mask hides keys before the softmax
#
# From here on, the queries, keys and values are those of a sequence of tokens, a query for each. In a
# language model a token must not look at what comes after it, for that is what it has to predict. So the
# scores of later keys become minus infinity, and their weights 0. This is the **causal mask**.

# %%
def show(maps, names=None, size=3.0, marks=None):
    """Maps side by side, each under its title, with circles around what the marks say."""
    figure, axes = plt.subplots(1, len(maps), figsize=(size * len(maps), size))
    for number, (ax, (title, weights)) in enumerate(zip(axes, maps.items())):
        tl.view.plot.attention_map(weights, names, names, ax).set(title=title)
        if marks is not None:
            rows, columns = np.nonzero(marks[number])
            ax.scatter(columns, rows, s=70, facecolor="none", edgecolor="deepskyblue")
    plt.show()

T, d = 6, 4
q, k, v = rng.standard_normal((3, T, d))
scores = q @ k.T / d**0.5
mask = np.tri(T, dtype=bool)  # True where a query may look
hidden = np.where(mask, scores, -np.inf)
show({"exp(scores)": np.exp(scores), "exp(scores), masked": np.exp(hidden),
      "weights": tl.softmax(hidden)})

# %% [markdown]
# The first query sees one key, itself, and gives it the weight 1. A common mistake is to multiply the
# *weights* with the mask, after the softmax: then the rows no longer add up to 1, and hidden keys still take
# their share of the sum.
#
# The test for a causal mask is to change the last token, and to see that nothing before it moves:

# %%
out = tl.softmax(hidden) @ v
assert np.allclose(out, F.scaled_dot_product_attention(q, k, v, is_causal=True))

changed_k, changed_v = k.copy(), v.copy()
changed_k[-1] += 1
changed_v[-1] += 1
moved = F.scaled_dot_product_attention(q, changed_k, changed_v, is_causal=True) != out
print("which outputs move:", moved.any(-1))
assert moved.any(-1).tolist() == [False] * (T - 1) + [True]

# %% [markdown]
# ## Heads look at several things at once
#
# One softmax gives one mean. If a token needs its neighbor *and* the tokens of its own kind, a single mean
# mixes the two up. Therefore the features are cut into parts, and each part does attention by itself. These
# are the **heads**.
#
# Below, each word has four features: two say where it stands, and two say what kind of word it is. The first
# head sees the first two features, and the second head the others.

# %%
words = "the cat sees the dog and the dog sees a cat".split()
kinds = {"the": 0, "a": 0, "cat": 2, "dog": 2, "sees": 4, "and": 6}
place = direction(np.arange(len(words)))  # neighbors have similar directions
kind = direction([kinds[word] * 3 for word in words])
x = 3 * np.concatenate([place, kind], -1)  # (11, 4)

def attend(x):
    return tl.softmax(x @ x.mT / x.shape[-1] ** 0.5)

heads = x.reshape(len(words), 2, 2).swapaxes(0, 1)  # (heads, words, features of a head)
first, second = attend(heads)
show({"one head of all features": attend(x), "first head: place": first,
      "second head: kind": second}, words, 3.6)

# %% [markdown]
# The first head looks at the neighborhood, the second one at all words of the same kind. The single head
# needs both at once, so it finds words of the same kind *that are near*, and nothing else. In a network the
# features are learned, and nobody says which head looks for what.

# %% [markdown]
# ## Without positions, attention sees a set
#
# Nothing in `softmax(q @ k.T) @ v` knows which token comes first. Shuffle the tokens, and the outputs are
# shuffled in the same way, each as it was:

# %%
order = rng.permutation(T)
out = F.scaled_dot_product_attention(q, k, v)
shuffled = F.scaled_dot_product_attention(q[order], k[order], v[order])
assert np.allclose(shuffled, out[order])
print("the order of the tokens was", order, "and no output has changed")

# %% [markdown]
# So positions have to be put in. There are three usual ways. **Learned positions** are a table with a vector
# for each place, which is added to the token. **Sinusoidal positions** are such a table that needs no
# learning: clocks that run at different speeds, on the left. The similarity of two places then depends on how
# far apart they are, as the map in the middle shows.
#
# **Rotary positions** add nothing. They turn queries and keys, pair of features by pair, by an angle that
# grows with the place. The dot product of two turned vectors depends on the difference of their angles. So
# one and the same query and key fit by how far they are apart, wherever they stand; on the right, every
# diagonal has one color.

# %%
def angles(places, half, slowest=100.0):
    speeds = slowest ** (-np.arange(half) / half)
    return np.arange(places)[:, None] * speeds  # (places, half)

def sinusoidal(places, d):
    a = angles(places, d // 2)
    return np.concatenate([np.sin(a), np.cos(a)], -1).astype(np.float32)

def rotated(x):
    half = x.shape[-1] // 2
    a = angles(x.shape[-2], half)
    first, second = x[..., :half], x[..., half:]
    turned = first * np.cos(a) - second * np.sin(a), first * np.sin(a) + second * np.cos(a)
    return np.concatenate(turned, -1)

P = sinusoidal(24, 16)
one_query, one_key = rng.standard_normal((2, 16))
fits = rotated(np.tile(one_query, (24, 1))) @ rotated(np.tile(one_key, (24, 1))).T
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for ax, picture, title in zip(axes, (P.T, P @ P.T, fits), (
        "sinusoidal positions", "how similar they are", "rotary: one query, one key")):
    most = np.abs(picture).max()
    image = ax.imshow(picture, cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto")
    figure.colorbar(image, ax=ax)
    ax.set(title=title, xlabel="place")
axes[0].set_ylabel("feature")
axes[1].set_ylabel("place")
axes[2].set(xlabel="place of the key", ylabel="place of the query")
plt.show()
assert np.allclose(np.diag(fits, 3), fits[0, 3])  # three apart, wherever that is

# %% [markdown]
# ## A model that learns to look things up
#
# Now let a model learn to use attention. The task is that of a dictionary, in a sequence. Letters are keys,
# and after each key comes its value, a digit. Keys come again, and always with the same digit. After `C4A7C`
# the model should say 4.
#
# In each sequence the digits are drawn anew. So nothing can be learned by heart: the model has to look it up
# in the sequence.

# %%
LETTERS, DIGITS = "ABCDEFGH", "01234567"
TOKENS = LETTERS + DIGITS
PAIRS = 12

def sequences(count):
    """Tokens (count, 2 * PAIRS), and what comes next; -100 where that cannot be known."""
    digit_of = rng.integers(0, len(DIGITS), (count, len(LETTERS)))
    letters = rng.integers(0, len(LETTERS), (count, PAIRS))
    digits = len(LETTERS) + np.take_along_axis(digit_of, letters, 1)
    tokens = np.stack([letters, digits], 2).reshape(count, -1)
    earlier = np.tri(PAIRS, k=-1, dtype=bool)
    known = ((letters[:, :, None] == letters[:, None, :]) & earlier).any(2)
    targets = np.full_like(tokens, -100)
    targets[:, ::2] = np.where(known, digits, -100)
    return tokens, targets

def text(tokens):
    return "".join(TOKENS[t] for t in tokens)

for tokens, targets in zip(*sequences(3)):
    answers = "".join(TOKENS[t] if t >= 0 else "." for t in targets[::2])
    print(text(tokens), "  to be said after each letter:", answers)

# %% [markdown]
# The model is as small as can be: an embedding with sinusoidal positions, one or two layers of attention with
# one head each, and a linear layer that says the next token. There is nothing else between them. Each layer
# adds its answer to what came in.

# %%
class Attention(nn.Module):
    """Causal attention with one head; gives its answers and its weights."""

    def __init__(self, width):
        self.norm = nn.RMSNorm(width)
        self.query, self.key, self.value, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)  # (B, T, C)
        scores = self.query(h) @ self.key(h).mT / x.shape[-1] ** 0.5  # (B, T, T)
        mask = np.tri(x.shape[1], dtype=bool)
        weights = tl.softmax(tl.where(mask, scores, -np.inf))
        return self.out(weights @ self.value(h)), weights

class LookUp(nn.Module):
    """Layers of attention, one after the other."""

    def __init__(self, layers, width=32):
        self.embedding = nn.Embedding(len(TOKENS), width)
        self.positions = sinusoidal(2 * PAIRS, width)
        self.layers = nn.ModuleList(Attention(width) for _ in range(layers))
        self.head = nn.Linear(width, len(TOKENS))

    def forward(self, tokens):
        x, seen = self.embedding(tokens) + self.positions[: tokens.shape[1]], []
        for layer in self.layers:
            answer, weights = layer(x)
            x = x + answer
            seen.append(weights)
        return self.head(x), seen

print(sum(p.numel() for p in LookUp(2).parameters()), "weights with two layers")

# %%
def loss_of(model, tokens, targets):
    logits, _ = model(tokens)
    logits = logits.reshape(-1, len(TOKENS))
    return F.cross_entropy(logits, targets.reshape(-1))  # where -100 does not count

def trained(model, steps=800):
    optimizer, curve = optim.Adam(model.parameters(), lr=3e-3), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, *map(tl.tensor, sequences(32)))
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve

models = {"two layers": LookUp(2), "one layer": LookUp(1)}
losses = {name: trained(model) for name, model in models.items()}

figure, ax = plt.subplots(figsize=(7, 3))
for name, curve in losses.items():
    ax.plot(np.convolve(curve, np.ones(20) / 20, "valid"), label=name)
ax.axhline(np.log(len(DIGITS)), color="gray", ls=":", label="guessing a digit")
ax.set(xlabel="step", ylabel="loss, mean of 20", ylim=0)
ax.legend(fontsize=8)
plt.show()

# %%
tokens, targets = sequences(500)
for name, model in models.items():
    with tl.no_grad():
        said = model(tl.tensor(tokens))[0].argmax(-1).array
    right = (said == targets)[targets >= 0].mean()
    print(f"{name:10} {right:.0%} right")
    assert (right > 0.95) == (name == "two layers")

# %% [markdown]
# Two layers learn it, and one layer does not. The reason is worth a thought. At the letter `C` a layer can
# find the earlier `C`, for the two are alike. But the answer is not there. It is one place further, at the
# digit, and a digit does not look like `C` at all. A query is compared with the keys one by one; it cannot
# ask for "the token after the one that fits".

# %% [markdown]
# ## What the two layers look at
#
# Here is how two layers do it. The maps are those of a sequence that the model has not seen. In the first
# one, circles mark the letter before each digit. In the second one, they mark for each letter the digits that
# came after the same letter earlier.

# %%
model = models["two layers"]
letters, earlier = tokens[:, ::2], np.tri(PAIRS, k=-1, dtype=bool)
before, after_same = np.zeros((2, len(tokens), 2 * PAIRS, 2 * PAIRS), bool)
before[:, np.arange(1, 2 * PAIRS, 2), np.arange(0, 2 * PAIRS, 2)] = True
after_same[:, ::2, 1::2] = (letters[:, :, None] == letters[:, None, :]) & earlier

with tl.no_grad():
    _, (first, second) = model(tl.tensor(tokens))  # (500, T, T) each
show({"first layer": first[0], "second layer": second[0]}, text(tokens[0]), 4.6,
     (before[0], after_same[0]))

# %% [markdown]
# In the first layer, most digits look at the letter before them. So from there on, each digit carries its
# letter with it. In the second layer, a letter that has come before looks at a digit that carries the same
# letter, and takes it for the answer. Neither layer could do it alone. The head of the second layer is called
# an **induction head**, and the other, on which it builds, a previous-token head (Olsson et al., 2022).
#
# Is it so in other sequences? These are the means over 500 of them. Rows without a circle are left out,
# because there is nothing to be found.

# %%
evenly = np.tri(2 * PAIRS) / np.arange(1, 2 * PAIRS + 1)[:, None]
for name, weights, wanted in (("first", first, before), ("second", second, after_same)):
    rows = wanted.any(-1)
    found, chance = ((w * wanted).sum(-1)[rows].mean() for w in (weights.array, evenly))
    print(f"{name:6} layer: {found:.0%} of the weight in circles; of even weights {chance:.0%}")
    assert found > 0.5 > chance

# %% [markdown]
# To be sure that the model needs both, silence one layer at a time: take its answer away, and let the rest
# run.

# %%
def silent(module, args, result):
    """In the place of what a layer gives: no answer."""
    return 0 * result[0], result[1]

for number, layer in enumerate(model.layers, 1):
    handle = layer.register_forward_hook(silent)
    with tl.no_grad():
        said = model(tl.tensor(tokens))[0].argmax(-1).array
    handle.remove()
    print(f"without layer {number}: {(said == targets)[targets >= 0].mean():.0%} right")

# %% [markdown]
# ## Step through it
#
# The explorer shows the graph of the loss of one short sequence, with all values and gradients. Press the
# right arrow key to go forward, into the layers, and then backward. At `softmax` the panel has the rule from
# above. The loss is small, so the gradients are too: the model is sure of its answer.

# %%
short = np.array([[TOKENS.index(token) for token in "C4A7C"]])
with tl.study():  # operations remember their modules and lines
    logits, (first, second) = model(tl.tensor(short))
    loss = F.cross_entropy(logits[:, -1], tl.tensor([TOKENS.index("4")]))
answer = TOKENS[logits[0, -1].argmax()]
print("the answer is", answer, "with the weights", second[0, -1].array.round(2))
folder = tempfile.TemporaryDirectory()
tl.explore(loss, Path(folder.name) / "attention.html", model)

# %% [markdown]
# ## Try it
#
# - Give `direction` more than two numbers, with a second clock that goes round once in twelve hours. What
#   changes in the answers?
# - Take the positions away from `LookUp`. It still learns the task, only later. How can it know what came
#   before, without them? (The first token sees one key, the second sees two.)
# - Let a letter have another digit when it comes again, and ask for the last one. Which of the two layers has
#   to change?
#
# [Attention by hand](../by_hand/attention.md) derives the whole backward pass, and [Train a GPT on the Python
# manual](gpt.py) has such layers in a language model.
