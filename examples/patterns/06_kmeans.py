"""K-means on handwritten digits: the centroids are pictures.

    python examples/patterns/06_kmeans.py           # writes kmeans.png
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl

images, digits = tl.data.load_digits()
model = tl.estimators.KMeans(10, n_init=4, random_state=0).fit(images)
print(f"inertia {model.inertia_:.0f} after {model.n_iter_} iterations; it only ever fell: "
      f"{[round(v) for v in model.inertias_[:4]]} …")
figure, axes = pyplot.subplots(2, 5, figsize=(8, 4))
for k, axis in enumerate(axes.flat):
    mine = digits[model.labels_ == k]
    most = np.bincount(mine).argmax()
    axis.imshow(model.cluster_centers_[k].reshape(8, 8), cmap="gray_r")
    axis.set(title=f"{(mine == most).mean():.0%} are {most}", xticks=[], yticks=[])
figure.tight_layout()
figure.savefig("kmeans.png")
print("written: kmeans.png")
