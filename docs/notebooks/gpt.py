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
# # Train a GPT on the Python manual
#
# In this notebook a small GPT learns to write like the manual of Python, one character at a time. You train
# it, look at what it writes, see where its attention goes, and find out which characters surprise it. The
# whole notebook takes less than a minute on one core. A larger number of `STEPS` makes a better writer.

# %%
# %config InlineBackend.figure_format = "retina"
import textwrap
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.data.tokenizers import CharTokenizer
from tinygrad_lite.models import GPT, GPTConfig
from tinygrad_lite.models.gpt import attention_weights

STEPS = 2000

plt.rcParams["figure.constrained_layout.use"] = True
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
tl.manual_seed(0)
rng = np.random.default_rng(0)

text = "\n\n".join(topics[name] for name in sorted(topics))
start = text.index("\n", len(text) // 2)
print(f"{len(topics)} topics, {len(text):,} characters. From the middle:")
print(text[start : start + 400])

# %% [markdown]
# This is what `help("for")` and its like show in a Python session. Every Python carries it, and a newer one
# says a little more.
#
# ## Characters become numbers
#
# A model computes with numbers, so each **token** of the text gets one. Here a token is a character. Large
# models take pieces of words instead, which makes texts shorter, and the table of tokens longer.

# %%
tokenizer = CharTokenizer(text)
V = len(tokenizer)
ids = tokenizer.encode(text)
print(V, "characters:", repr("".join(tokenizer.characters)))
print(tokenizer.encode("def"), "means", repr(tokenizer.decode(tokenizer.encode("def"))))

split = len(ids) * 9 // 10
train, held_out = ids[:split], ids[split:]  # the last tenth is not learned from

# %% [markdown]
# ## How hard is it to guess a character?
#
# The **loss** of a guess is minus the logarithm of the probability that was given to the character that came.
# To be sure costs nothing if one is right. To give each of two characters one half costs log 2 = 0.69. Before
# the training, see how far one gets without a network: by knowing nothing, by how frequent each character is,
# and by counting which one follows which.

# %%
counts = np.zeros((V, V))
np.add.at(counts, (train[:-1], train[1:]), 1)
counts += 0.1  # what was never seen is not impossible
following = counts / counts.sum(1, keepdims=True)
frequent = counts.sum(0) / counts.sum()
without = {
    "all characters alike": np.log(V),
    "how frequent each is": -np.log(frequent[held_out]).mean(),
    "which follows which": -np.log(following[held_out[:-1], held_out[1:]]).mean()}
for name, loss in without.items():
    print(f"{name:22} {loss:.2f}, as if it were one of {np.exp(loss):.0f}")

# %% [markdown]
# The second number says it in another way: a loss of 2.3 is that of somebody who hesitates between ten
# characters.
#
# ## Examples
#
# An example is a piece of the text, and what is to be predicted is the same piece one character later. So a
# piece of 96 characters gives 96 predictions, each from all the characters before it.

# %%
BATCH, LENGTH = 8, 96

def pieces(tokens, starts):
    """Pieces of the text, and the same one character later: both (B, LENGTH)."""
    rows = tokens[np.asarray(starts)[:, None] + np.arange(LENGTH + 1)]
    return tl.tensor(rows[:, :-1]), tl.tensor(rows[:, 1:])

x, y = pieces(train, rng.integers(0, len(train) - LENGTH, BATCH))
print("given    ", repr(tokenizer.decode(x[0].tolist())))
print("predicted", repr(tokenizer.decode(y[0].tolist())))

# %% [markdown]
# ## The model
#
# A GPT gives each token a vector, and changes the vectors in **blocks**. In a block,
# [attention](attention.py) lets each token gather information from those before it, and a small network works
# on each token by itself. After the last block, each vector becomes a number for each character that could
# come next, a **logit**. This model has two blocks of four heads, and 64 numbers a token. The smallest GPT-2
# has twelve blocks of twelve heads, 768 numbers a token, and runs by the same code.

# %%
config = GPTConfig(
    V, block_size=LENGTH, n_layer=2, n_head=4, n_embd=64, positions="rotary", norm="rms")
model = GPT(config)
for name, part in model.named_children():
    print(f"{name:12} {sum(p.numel() for p in part.parameters()):7,} numbers")
whole = sum(p.numel() for p in model.parameters())
print(f"{'together':12} {whole:7,}, for the first and the last layer share a table")

def loss_of(x, y):
    logits = model(x)  # (B, T, V)
    return nn.functional.cross_entropy(logits.reshape(-1, V), y.reshape(-1))

before = loss_of(x, y).item()
print(f"its loss before it has learned anything: {before:.2f}")
assert abs(before - np.log(V)) < 0.2

# %% [markdown]
# That is the loss of somebody who knows nothing. A much larger one would be a sign of a mistake.
#
# ## Training
#
# A step takes eight pieces, computes the loss and its gradients, and changes all weights a little.
# `@tl.compile` makes a numpy program of the step when it is called for the second time. The learning rate
# grows for fifty steps and then falls along a cosine.

# %%
optimizer = optim.AdamW(model.parameters(), lr=8e-3, betas=(0.9, 0.95), weight_decay=0.01)

def rate(n):
    return min(1.0, (n + 1) / 50) * (0.05 + 0.475 * (1 + np.cos(np.pi * n / STEPS)))

schedule = optim.lr_scheduler.LambdaLR(optimizer, rate)

@tl.compile
def step(x, y):
    optimizer.zero_grad()
    loss = loss_of(x, y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss

def held_out_loss():
    starts = np.linspace(0, len(held_out) - LENGTH - 1, 64).astype(int)
    with tl.no_grad():
        return loss_of(*pieces(held_out, starts)).item()

losses, tested = [], {}
for n in range(STEPS):
    starts = rng.integers(0, len(train) - LENGTH, BATCH)
    losses.append(step(*pieces(train, starts)).item())
    schedule.step()
    if n % (STEPS // 8) == 0 or n == STEPS - 1:
        tested[n] = held_out_loss()

last = tested[STEPS - 1]
print(f"loss after {STEPS} steps: {np.mean(losses[-50:]):.2f}")
print(f"loss of the text held out: {last:.2f}")
assert last < without["which follows which"]

# %%
figure, ax = plt.subplots(figsize=(8, 3.6))
tl.view.plot.loss_curve(losses, smooth=50, ax=ax)
ax.plot(*zip(*tested.items()), "ko", ms=4, label="text held out")
for (name, loss), style in zip(without.items(), (":", "-.", "--")):
    ax.axhline(loss, color="gray", ls=style, lw=1, label=name)
ax.set_yticks((1, 2, 3, 4), (1, 2, 3, 4))
ax.minorticks_off()
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# The model soon does better than any table of pairs, because it looks back further than one character. In the
# end the text held out costs about as much as the text that it learns from, so it has not learned that by
# heart.
#
# ## It writes
#
# To write, give the model a beginning, draw the next character from its probabilities, append it, and begin
# again. The **temperature** divides the logits before the probabilities are computed. Below 1 they become
# sharper, and above 1 flatter:

# %%
def after(prompt):
    """The logits of what comes after a text."""
    with tl.no_grad():
        return model(tl.tensor(tokenizer.encode(prompt)[None]))[0, -1]

def shown(token):
    return tokenizer.decode([token]).replace(" ", "␣").replace("\n", "⏎")

prompt = "This is a s"
logits = after(prompt)
likely = logits.argsort(descending=True)[:12].tolist()
figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), sharey=True)
for ax, temperature in zip(axes, (0.5, 1.0, 2.0)):
    ax.bar(range(12), tl.softmax(logits / temperature)[likely].array)
    ax.set_xticks(range(12), map(shown, likely))
    ax.set_title(f"after {prompt!r}, temperature {temperature}", fontsize=9)
plt.show()

# %%
def write(title, *processors):
    """Print what the model writes after "The ", in lines of at most 80 characters."""
    tl.manual_seed(1)
    tokens = model.generate(tokenizer.encode("The "), 240, processors)[0]
    print(f"--- {title}")
    for line in tokenizer.decode(tokens.tolist()).split("\n"):
        print(textwrap.fill(line, 80))
    print()

for temperature in (0.2, 0.7, 1.0, 1.5):
    write(f"temperature {temperature}", nn.generation.temperature(temperature))

# %% [markdown]
# At a low temperature it takes the likely characters and soon repeats itself. At a high one it takes unlikely
# ones too, and each of them leads it to where it has never been. **Top-k** sampling removes that second
# problem in another way: only the `k` best characters can be drawn.

# %%
for k in (1, 3, 10):
    write(f"top {k}", nn.generation.top_k(k))

# %% [markdown]
# With `k = 1` nothing is left to chance, and the text ends in a loop. Elsewhere most words are words or
# nearly so, and quotation marks mostly come in pairs. The sense is missing: for that, this model is far too
# small, and it sees no more than 96 characters.
#
# ## What a head looks at
#
# Each head of each layer gives each character weights over itself and those before it. Here are three ways to
# sum up what a head does: how much of its weight is on the character itself, how much on the one before it,
# and how far it looks back on average.

# %%
rows = held_out[: len(held_out) // LENGTH * LENGTH].reshape(-1, LENGTH)
letters = np.array([c.isalpha() for c in tokenizer.characters])
most_letters = np.argsort(-letters[rows].sum(1), kind="stable")
rows = rows[most_letters[:20]]  # so this is prose, and no tables
maps = np.stack([attention_weights(model, row) for row in rows])
print("shape of the maps (rows, layers, heads, T, T):", maps.shape)

back = np.arange(LENGTH)[:, None] - np.arange(LENGTH)  # how far each look goes back
itself, one_before, distance = (
    (maps * weight).sum(-1)[..., LENGTH // 2 :].mean((0, -1))
    for weight in (back == 0, back == 1, back))
print("layer head  itself  one before  looks back")
for at in np.ndindex(itself.shape):
    looks = f"{itself[at]:7.0%} {one_before[at]:11.0%}  {distance[at]:5.1f} characters"
    print(f"{at[0]:5} {at[1]:4} {looks}")
assert np.allclose(maps.sum(-1), 1, atol=1e-5)

# %% [markdown]
# The heads have divided the work among them, though nobody told them to. The maps below are those of the head
# that looks most at the character just before, and of the one that looks back furthest. Rows are the
# characters that look, columns those that they look at.

# %%
near, far = (np.unravel_index(what.argmax(), what.shape) for what in (one_before, distance))
names = [shown(t) for t in rows[0, :28]]
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
for ax, (layer, head) in zip(axes, (near, far)):
    tl.view.plot.attention_map(maps[0, layer, head, :28, :28], names, names, ax)
    ax.set(title=f"layer {layer}, head {head}")
    ax.tick_params(labelsize=8)
plt.show()

# %% [markdown]
# A column that is bright far down is a character that many others look at. For the second of these heads,
# here are the characters that get the most weight, in proportion to how often they are there to be looked at:

# %%
visible = np.tri(LENGTH) / np.arange(1, LENGTH + 1)[:, None]  # even weights
given = {"got": maps[:, far[0], far[1]].sum(1), "even": np.tile(visible.sum(0), (len(rows), 1))}
got, even = (np.bincount(rows.ravel(), weights.ravel(), V) for weights in given.values())
enough = np.bincount(rows.ravel(), minlength=V) >= 10  # to speak of a mean
ratio = np.where(enough, got / np.maximum(even, 1e-9), 0)
for token in np.argsort(-ratio)[:6]:
    print(f"{shown(token)}  {ratio[token]:.1f} times as much as with even weights")
assert np.isclose(got.sum(), rows.size) and np.isclose(even.sum(), rows.size)

# %% [markdown]
# ## What surprises it
#
# The loss of a text is the mean over its characters, and the characters differ. Here is a passage that the
# model has not seen. The darker a character, the less it was expected.

# %%
COLUMNS = 50

def surprises(tokens):
    """The loss of each token after the first, and the logits that it is of."""
    x, y = tl.tensor(tokens[None, :-1]), tl.tensor(tokens[1:])
    with tl.no_grad():
        logits = model(x)[0]
    return nn.functional.cross_entropy(logits, y, reduction="none").array, logits.array

passages = held_out[: len(held_out) // 300 * 300].reshape(-1, 300)
passage = passages[letters[passages].sum(1).argmax()][: 5 * COLUMNS + 1]
costs, logits = surprises(passage)
figure, ax = plt.subplots(figsize=(9, 1.9))
image = ax.imshow(costs.reshape(-1, COLUMNS), cmap="Blues", vmin=0, vmax=6, aspect="auto")
for i, (token, cost) in enumerate(zip(passage[1:], costs)):
    ax.text(i % COLUMNS, i // COLUMNS, shown(token), ha="center", va="center", fontsize=9,
            family="monospace", color="white" if cost > 4 else "black", parse_math=False)
ax.axis("off")
figure.colorbar(image, ax=ax, label="loss", pad=0.01)
plt.show()

for i in np.argsort(-costs)[:4]:
    p = tl.softmax(logits[i])
    expected = ", ".join(f"{shown(t)} {p[t]:.0%}" for t in np.argsort(-p)[:3])
    print("after    ", repr(tokenizer.decode(passage[max(i - 25, 0) : i + 1])))
    print("expected ", expected)
    print("came     ", shown(passage[i + 1]), f"at a cost of {costs[i]:.1f}\n")

# %% [markdown]
# The dark places are mostly the first letters of words. Once a word has begun, the rest of it follows. This
# can be measured, over a hundred passages: the mean loss of a letter by its place in the word.

# %%
by_place = [[] for _ in range(11)]  # 0: no letter, 1: the first letter of a word
for piece in passages[:100]:
    place = 0
    for token, cost in zip(piece[1:], surprises(piece)[0]):
        place = place + 1 if letters[token] else 0
        if place < len(by_place):
            by_place[place].append(cost)

means = [np.mean(costs) for costs in by_place[1:]]
figure, ax = plt.subplots(figsize=(7, 2.6))
ax.bar(range(1, 11), means)
ax.set(xlabel="place of a letter in its word", ylabel="mean loss", xticks=range(1, 11))
plt.show()
assert means[0] == max(means)

# %% [markdown]
# The first letter decides which word it will be, and that depends on what the text is about. The last ones
# are a matter of spelling, which is the part that a small model can learn.
#
# ## Go on
#
# - Set `STEPS` to 20,000 and see what it writes after five minutes. When does the loss of the text held out
#   stop falling?
# - Take one head in the place of four, or one block in the place of two. What do the heads look at then?
# - Let it learn from a text of your own: put `Path("my.txt").read_text()` in the place of the manual.
#
# `tinygrad-lite train gpt` trains such a model from the command line, with checkpoints, and if one likes with
# tokens of several characters: [Models](../models.md). To see how attention works inside, go on with [Explore
# attention](attention.py).
