"""Logistic regression: gradient descent by hand, the exact minimum, and the border between two classes.

    python examples/patterns/09_logistic_regression.py    # writes logistic.png
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl

E = tl.estimators
print("sigmoid at +-1e4:", tl.nn.functional.sigmoid(np.array([-1e4, 0.0, 1e4])))
X, y = tl.data.load_breast_cancer()
X = (X - X.mean(0)) / X.std(0)
w, b = E.logistic_regression(X, y, lr=0.1, n_iter=1000)
print(f"gradient descent from 0: accuracy {((X @ w + b > 0) == y).mean():.3f}, loss after 1,000 steps "
      f"{tl.nn.by_hand.logistic_forward(X, w, b, y)[0]:.4f}")
for C in (0.01, 1.0, 100.0):
    for penalty in ("l2", "l1"):
        model = E.LogisticRegression(penalty, C=C).fit(X, y)
        used = np.count_nonzero(model.coef_)
        print(f"{penalty}, C = {C:6}: accuracy {model.score(X, y):.3f}, {used:2} of 30 coefficients")

two = X[:, [0, 1]]
model = E.LogisticRegression().fit(two, y)
grid = np.stack(np.meshgrid(np.linspace(-3, 4, 200), np.linspace(-3, 5, 200)), -1)
share = model.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(200, 200)
pyplot.contourf(grid[..., 0], grid[..., 1], share, levels=20, cmap="coolwarm_r", alpha=0.6)
pyplot.scatter(*two.T, c=y, cmap="coolwarm_r", edgecolor="black", s=12)
pyplot.xlabel("mean radius, standardized")
pyplot.ylabel("mean texture, standardized")
pyplot.savefig("logistic.png")
print("written: logistic.png")
