"""Cosine similarity: the digits most like one, by the best k of all.

    python examples/patterns/08_cosine.py           # writes cosine.png
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl

F = tl.nn.functional
images, digits = tl.data.load_digits()
queries, keys = images[:4], images[4:]
similarity, at = F.cosine_top_k(queries, keys, k=5)
assert np.allclose(similarity[:, 0], F.cosine_sim_matrix(queries, keys).max(1), atol=1e-6)
figure, axes = pyplot.subplots(4, 6, figsize=(7, 5))
for row, query in enumerate(axes):
    for axis, picture, title in zip(query, [queries[row], *keys[at[row]]], ["query", *similarity[row].round(2)]):
        axis.imshow(picture.reshape(8, 8), cmap="gray_r")
        axis.set(title=title, xticks=[], yticks=[])
    print(f"a {digits[row]} is most like {digits[4:][at[row]]}")
figure.tight_layout()
figure.savefig("cosine.png")
print("a vector of zeros is like nothing:", F.cosine_sim_matrix(np.zeros((1, 64)), keys[:3]), " written: cosine.png")
