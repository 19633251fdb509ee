"""Greedy, temperature, top-k, top-p and min-p: what each leaves of a distribution.

    python examples/patterns/04_sampling.py         # writes sampling.png
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl

G = tl.nn.generation
logits = np.sort(np.random.default_rng(0).standard_normal(20) * 1.5)[::-1]
ways = {
    "softmax": [], "temperature 0.5": [G.temperature(0.5)], "temperature 2": [G.temperature(2.0)],
    "top-k 5": [G.top_k(5)], "top-p 0.8": [G.top_p(0.8)],
    "min-p 0.2, temperature 2": [G.min_p(0.2), G.temperature(2.0)],
}
figure, axes = pyplot.subplots(2, 3, figsize=(10, 5), sharey=True)
for (name, processors), axis in zip(ways.items(), axes.flat):
    drawn = G.sample(np.tile(logits, (20_000, 1)), processors, generator=tl.Generator(0))
    shares = np.bincount(drawn, minlength=20) / len(drawn)
    axis.bar(range(20), shares)
    axis.set(title=name)
    print(f"{name:26} tokens drawn: {(shares > 0).sum():2}   most frequent: {shares.max():.2f}")
figure.supxlabel("token, by logit")
figure.supylabel("share of 20,000 draws")
figure.tight_layout()
figure.savefig("sampling.png")
print("greedy:", G.greedy(logits), " k = 1:", G.top_k_sample(logits, 1), " written: sampling.png")
