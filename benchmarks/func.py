"""What derivatives of functions cost beside the gradients that they are made of.

Interleaved in one process on one thread; prints medians in microseconds, ratios and what is aimed at.
    python benchmarks/func.py
"""

from environment import kernel  # first: it sets one thread and the kernel

import statistics  # isort: skip
import time  # isort: skip

import numpy as np  # isort: skip

import tinygrad_lite as tl  # isort: skip
from tinygrad_lite import data, func, nn  # isort: skip

try:
    import torch
    torch.set_num_threads(1)
except ImportError:
    torch = None

BATCH = 64


def interleaved(ways: dict, rounds: int = 30) -> dict:
    """The median microseconds of each way, called in turn."""
    times: dict = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - start) * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def told(what: str, mine: float, other: float, aim: str) -> None:
    """One row."""
    print(f"{what:72} {mine:10.0f} us / {other:10.0f} us = {mine / other:7.2f}   aim {aim}")


def network(sizes: tuple) -> tuple:
    """A network of linear layers and tanh, its weights by name, and its loss of one batch as a function of them."""
    layers: list = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    model = nn.Sequential(*layers[:-1])
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, x, y):
        return nn.functional.cross_entropy(func.functional_call(model, weights, (x,)), y)

    return weights, loss


tl.manual_seed(0)
images, labels = data.load_digits()
x, y = tl.tensor(np.asarray(images[:BATCH], np.float32).reshape(BATCH, -1)), np.asarray(labels[:BATCH])
print(f"{kernel()}, one thread")

# ---- grad beside backward
w = tl.tensor(np.ones(4), requires_grad=True)


def square(w):
    """The smallest of functions."""
    return (w * w).sum()


def backward():
    """The ordinary way."""
    w.grad = None
    square(w).backward()


plain = w.detach()
gradient = func.grad(square)
found = interleaved({"grad": lambda: gradient(plain), "backward": backward}, 2000)
print(f"{'grad beside backward, of a function of two operations':72} "
      f"{found['grad'] - found['backward']:10.1f} us more{'':22} aim 10 us")

# ---- products with the Hessian
def products(sizes: tuple) -> dict:
    """A gradient, and a product with the Hessian."""
    weights, loss = network(sizes)
    by_weights = func.grad(loss)
    return {"gradient": lambda: by_weights(weights, x, y),
            "hvp": lambda: func.hvp(lambda w: loss(w, x, y), weights, weights)}


for name, sizes in {"64-64-10": (64, 64, 10), "64-256-256-10": (64, 256, 256, 10)}.items():
    found = interleaved(products(sizes))
    told(f"hvp / gradient, digits MLP {name}, batch {BATCH}", found["hvp"], found["gradient"], "4")

# ---- Jacobians
weights, loss = network((64, 64, 10))
W1, W2 = (weights[k].array.astype(np.float64) for k in ("0.weight", "2.weight"))


def outputs(v):
    """Ten numbers of 64."""
    return W2 @ np.tanh(W1 @ v)


point = np.asarray(images[0], np.float64).reshape(-1)


def ten_products():
    """The rows of the Jacobian, one by one."""
    _, pulled = func.vjp(outputs, point)
    return np.stack([pulled(row)[0] for row in np.eye(10)])


jacobian = func.jacobian(outputs)
found = interleaved({"jacobian": lambda: jacobian(point), "ten": ten_products})
told("jacobian of 10 outputs / ten vjps, digits MLP, one image", found["jacobian"], found["ten"], "0.5")

# ---- gradients of each example
each = func.vmap(func.grad(loss), (None, 0, 0))
one = func.grad(loss)
x1, y1 = x[:, None], y[:, None]


def loop():
    """An example at a time."""
    return [one(weights, x1[i], y1[i]) for i in range(BATCH)]


found = interleaved({"loop": loop, "vmap": lambda: each(weights, x1, y1)})
told(f"a loop / vmap: gradients of each of {BATCH} examples, digits MLP", found["loop"], found["vmap"], "10")

# ---- beside torch.func
if torch is not None:
    tx, ty = torch.tensor(x.array), torch.tensor(y)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10))
    theirs = {name: p.detach() for name, p in model.named_parameters()}

    def torch_loss(weights, x, y):
        """The same in PyTorch."""
        return torch.nn.functional.cross_entropy(torch.func.functional_call(model, weights, (x,)), y)

    torch_each = torch.func.vmap(torch.func.grad(torch_loss), (None, 0, 0))
    torch_one = torch.func.grad(torch_loss)
    tx1, ty1 = tx[:, None], ty[:, None]
    found = interleaved({
        "each": lambda: each(weights, x1, y1), "their each": lambda: torch_each(theirs, tx1, ty1),
        "grad": lambda: one(weights, x, y), "their grad": lambda: torch_one(theirs, tx, ty),
        "hvp": lambda: func.hvp(lambda w: loss(w, x, y), weights, weights),
        "their hvp": lambda: torch.func.jvp(torch.func.grad(lambda w: torch_loss(w, tx, ty)), (theirs,), (theirs,))})
    for name, what in (("grad", "grad"), ("hvp", "hvp"), ("each", "vmap(grad)")):
        told(f"{what} / torch.func, digits MLP 64-64-10, batch {BATCH}", found[name], found[f"their {name}"], "1")
