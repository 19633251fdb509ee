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
# # Autograd from scratch in 100 lines
#
# In this notebook you build an engine for reverse-mode differentiation in numpy, and train a network with it.
# It has fewer than a hundred lines: the five cells that begin with `# engine` are all of it. After each part
# you see how the library does the same. In the end both train the same network, and agree in every loss. You
# need numpy, and the idea of [reverse mode](../reverse_mode.md): a result is made by a sequence of
# operations, and their derivatives are multiplied from its end to its beginning.

# %%
# %config InlineBackend.figure_format = "retina"
import ast
import inspect
import itertools

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.engine import tape, values
from tinygrad_lite.ops import elementwise, linalg, reduce

plt.rcParams["figure.constrained_layout.use"] = True
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

def quote(module, *names):
    """Print how a module of the library defines what is called so."""
    source = inspect.getsource(module)
    for node in ast.parse(source).body:
        targets = getattr(node, "targets", [node])
        if any(getattr(n, "name", getattr(n, "id", None)) in names for n in targets):
            print(ast.get_source_segment(source, node), end="\n\n")

print("tinygrad_lite", tl.__version__)

# %% [markdown]
# ## A tensor remembers how it was made
#
# A tensor has a numpy array. It also knows the operation that made it, what went into the operation, and
# *when* that was: a counter gives each new tensor its place. A tensor that no operation made is a **leaf**,
# such as a weight.

# %%
# engine, part 1: a tensor is an array that remembers how it was made
places = itertools.count()


class Tensor:
    __array_ufunc__ = None  # in `array * tensor` numpy leaves the operator to the tensor

    def __init__(self, array, requires_grad=False, op=None, inputs=(), args=()):
        self.array = np.asarray(array, np.float64)
        self.requires_grad, self.grad = requires_grad, None
        self.op, self.inputs, self.args = op, inputs, args  # how it was made,
        self.place = next(places)  # and when

    def __repr__(self):
        return f"Tensor({self.array.tolist()})"


assert Tensor([1.0, 2.0]).op is None  # a leaf

# %%
x = Tensor([1.0, 2.0], requires_grad=True)
print(x, "is a leaf:", x.op is None)

# %% [markdown]
# The library has the same fields, in two classes. What you hold is a `Tensor`, a name for a `Node`. The node
# is what is remembered. The reason is in-place operations such as `x.add_(1)`: they give the same tensor a
# new node.

# %%
quote(values, "Node")

# %% [markdown]
# ## An operation is a forward function, and a rule for each argument
#
# The **forward** computes with arrays. A **rule** gives the gradient of one argument: it takes the gradient
# `g` of the result, the result `out`, and the arguments. For a product `out = x * y` the rule of `x` is `g *
# y`: if `x` moves a little, `out` moves `y` times as far, and the loss moves `g` times as far as `out`.
#
# `operation` makes a function of tensors from a forward and its rules. The function computes, and writes down
# what it did.

# %%
# engine, part 2: an operation is a forward function, and a rule for each argument
def operation(forward, *rules):
    def op(*args):
        arrays = [a.array if isinstance(a, Tensor) else a for a in args]
        inputs = [a if isinstance(a, Tensor) and a.requires_grad else None for a in args]
        return Tensor(forward(*arrays), any(inputs), op, inputs, arrays)

    op.rules = rules
    return op


add = operation(np.add, lambda g, out, x, y: g, lambda g, out, x, y: g)
sub = operation(np.subtract, lambda g, out, x, y: g, lambda g, out, x, y: -g)
mul = operation(np.multiply, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x)
div = operation(np.divide, lambda g, out, x, y: g / y, lambda g, out, x, y: -g * out / y)
exp = operation(np.exp, lambda g, out, x: g * out)
log = operation(np.log, lambda g, out, x: g / x)
relu = operation(lambda x: np.maximum(x, 0.0), lambda g, out, x: g * (x > 0))
matmul = operation(np.matmul, lambda g, out, x, y: g @ y.mT, lambda g, out, x, y: x.mT @ g)
total = operation(lambda x, axis=None: x.sum(axis, keepdims=axis is not None),
                  lambda g, out, x, axis=None: np.broadcast_to(g, x.shape))

for op, name in (add, "add"), (sub, "sub"), (mul, "mul"), (div, "truediv"), (matmul, "matmul"):
    setattr(Tensor, f"__{name}__", op)
    setattr(Tensor, f"__r{name}__", lambda y, x, op=op: op(x, y))

assert (10 * Tensor(2.0)).array == 20

# %%
y = 10 * x
print(y, "was made of", y.args, "and later than x:", y.place > x.place)
by_x, by_y = mul.rules
print("the rules of 3 * 4, for g = 1:", by_x(1, 12, 3, 4), by_y(1, 12, 3, 4))

# %% [markdown]
# The sum is called `total` here, so that Python keeps its `sum`. It adds up all elements, or along an axis,
# and its rule is the first that may surprise: each element moves the sum by as much as itself, so each gets
# the whole gradient. The rules of the matrix product follow from the shapes ([here is
# why](../reverse_mode.md#6-arrays-follow-the-same-rules-and-shapes-tell-most-of-them)).
#
# The library's table looks the same. `promote` in it brings two dtypes to a common one; the engine of this
# notebook has only one, float64.

# %%
quote(elementwise, "_add", "mul", "_div", "exp", "log")
quote(linalg, "_matmul")
quote(reduce, "sum")

# %% [markdown]
# ## Broadcasting is undone in one place
#
# When numpy adds a row `b` of 3 numbers to a matrix of 2 rows, it uses `b` twice. So each number of `b` gets
# two gradients, and they add up. But the rule of `add` is `g`, which still has the shape of the matrix. Every
# rule of two arguments has this problem:

# %%
b = np.array([1.0, 2.0, 3.0])
g = np.ones((2, 3))
print("b has the shape", b.shape)
print("and the rule gives", add.rules[1](g, None, np.zeros((2, 3)), b).shape)

# %% [markdown]
# One function solves it for all of them. It sums a gradient to the shape of the array that was stretched:
# over the dimensions that were added in front, and over those that had the size 1.

# %%
# engine, part 3: broadcasting is undone in one place
def summed_to(g, shape):
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


assert summed_to(np.ones((2, 3)), (1, 3)).tolist() == [[2, 2, 2]]

# %%
for shape in ((2, 3), (3,), (1, 3), (2, 1), ()):
    print(f"{str(shape):7}", summed_to(g, shape).tolist())
    assert summed_to(g, shape).shape == shape

# %% [markdown]
# In the library it is `_sum_to`, with some more words to be fast, and `_give`, which calls it wherever a
# gradient is handed on:

# %%
quote(tape, "_sum_to", "_give")

# %% [markdown]
# ## The tape, read backwards
#
# From the result, follow the inputs until nothing new is found, and sort by place. That is the **tape**: an
# operation can only use what was there before it ran, so this order is right, and there is no need to search
# the graph for one.
#
# Now read the tape backwards. When a tensor's turn comes, everything that used it has been read already, so
# its gradient is complete. Each rule sends its share to the argument, where the shares add up. A leaf keeps
# its gradient.

# %%
# engine, part 4: the tape, read backwards
def tape_of(result):
    found, tensors = {result}, [result]
    for tensor in tensors:  # grows as it is read
        for source in tensor.inputs:
            if source is not None and source not in found:
                found.add(source)
                tensors.append(source)
    return sorted(tensors, key=lambda tensor: tensor.place)


def backward(result):
    grads = {result: np.ones_like(result.array)}
    for tensor in reversed(tape_of(result)):
        g = grads.pop(tensor)
        if tensor.op is None:
            tensor.grad = g if tensor.grad is None else tensor.grad + g
            continue
        for source, rule in zip(tensor.inputs, tensor.op.rules):
            if source is not None:
                d = summed_to(rule(g, tensor.array, *tensor.args), source.array.shape)
                grads[source] = grads[source] + d if source in grads else d


Tensor.backward = backward
assert tape_of(x) == [x]

# %%
x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
loss = total(x * x + 10 * x)
loss.backward()
print([tensor.place - x.place for tensor in tape_of(loss)], x.grad)
assert x.grad.tolist() == [12, 14, 16]  # 2 x + 10

# %% [markdown]
# `x` was used three times here: twice in `x * x`, and once in `10 * x`. All three shares are in its gradient.
# With `=` in the place of `+` in the last line of `backward`, two of them would be lost.
#
# Here is the library's search. It also stops at a place that is given, and refuses a tape whose values are
# gone. Its backward pass has the same loop in the middle; [Read the engine in an
# evening](../engine.md#7-the-backward-pass-in-ten-lines) goes through the rest.

# %%
quote(tape, "tape_of")

# %% [markdown]
# ## A loss for a classifier
#
# The network will give a number, called a **logit**, for each of ten digits. **Softmax** turns logits into
# probabilities: exponentials, divided by their sum. **Cross-entropy** is the mean of minus the logarithm of
# the probability of the right digit. The logarithm of a softmax is best computed in one piece, after the
# largest logit has been taken off. Its rule is short:

# %%
# engine, part 5: log-softmax and cross-entropy
def shifted(x):
    z = x - x.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


log_softmax = operation(
    shifted, lambda g, out, x: g - np.exp(out) * g.sum(-1, keepdims=True))


def cross_entropy(logits, labels):
    chosen = np.eye(logits.array.shape[-1])[labels]  # 1 at the right digit, else 0
    return total(log_softmax(logits) * chosen) / -len(labels)


assert np.isclose(cross_entropy(Tensor(np.zeros((1, 4))), [2]).array, np.log(4))

# %%
def in_parts(x):
    return x - log(total(exp(x), -1))

logits = np.array([[1.0, 2.0, 0.5], [0.2, 0.1, 3.0]])
assert np.allclose(log_softmax(Tensor(logits)).array, in_parts(Tensor(logits)).array)
with np.errstate(over="ignore"):
    print("in one piece:", log_softmax(Tensor([[0.0, 1000.0]])))
    print("in parts:    ", in_parts(Tensor([[0.0, 1000.0]])))

# %% [markdown]
# The parts overflow: `exp(1000)` is more than a float64 can hold. [Numerical stability](../stability.md) has
# more of these.
#
# The library makes a single operation of the whole loss. Its rule is the one formula that is worth knowing by
# heart: probability given minus probability wanted, divided by the number of examples.

# %%
theirs = tl.tensor(logits, requires_grad=True)
loss = nn.functional.cross_entropy(theirs, tl.tensor([1, 2]))
loss.backward()
print(inspect.getsource(loss.node.op.rules[0]))

mine = Tensor(logits, requires_grad=True)
cross_entropy(mine, [1, 2]).backward()
print(mine.grad.round(4))
assert np.allclose(mine.grad, theirs.grad.array)

# %% [markdown]
# ## Three ways to the same gradient
#
# An engine is worth as much as its test. For each operation, with broadcasting where there are two arguments,
# this compares the gradients with those of the library, and with **finite differences**: move each number up
# and down by a little, and see how far the result moves. The columns are the largest differences.

# %%
rng = np.random.default_rng(0)

def differences(f, arrays, step=1e-5):
    """The gradients of f(*arrays), a number, by moving each element."""
    found = [np.zeros_like(a) for a in arrays]
    for array, slopes in zip(arrays, found):
        for i in np.ndindex(array.shape):
            before = array[i]
            array[i] = before + step
            up = f(*arrays)
            array[i] = before - step
            slopes[i] = (up - f(*arrays)) / (2 * step)
            array[i] = before
    return found

cases = {
    "add": (add, tl.add, (2, 3), (3,)),
    "sub": (sub, tl.sub, (3,), (2, 3)),
    "mul": (mul, tl.mul, (2, 1), (1, 3)),
    "div": (div, tl.div, (2, 3), ()),
    "exp": (exp, tl.exp, (2, 3)),
    "log": (log, tl.log, (2, 3)),
    "relu": (relu, tl.relu, (2, 3)),
    "matmul": (matmul, tl.matmul, (2, 3), (3, 4)),
    "matmul, a batch": (matmul, tl.matmul, (5, 2, 3), (3, 4)),
    "total": (total, tl.sum, (2, 3)),
    "total, an axis": (lambda x: total(x, 0), lambda x: tl.sum(x, 0, True), (2, 3)),
    "log_softmax": (log_softmax, tl.log_softmax, (2, 3)),
    "cross_entropy": (
        lambda x: cross_entropy(x, [0, 2]),
        lambda x: nn.functional.cross_entropy(x, tl.tensor([0, 2])), (2, 3))}
print(f"{'':16} library  differences")
for name, (mine, theirs, *shapes) in cases.items():
    signs = [1] if name == "log" else [-1, 1]  # and none near 0, where relu has a corner
    arrays = [np.array(rng.uniform(0.5, 2, n) * rng.choice(signs, n)) for n in shapes]
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    out = mine(*ours)
    weights = rng.standard_normal(out.array.shape)  # each element counts differently
    total(out * weights).backward()
    others = [tl.tensor(a, requires_grad=True) for a in arrays]
    (theirs(*others) * tl.tensor(weights)).sum().backward()

    def value(*arrays, f=mine, w=weights):
        return (f(*map(Tensor, arrays)).array * w).sum()

    moved = differences(value, arrays)
    apart = [max(np.abs(t.grad - other).max() for t, other in zip(ours, found))
             for found in ([t.grad.array for t in others], moved)]
    print(f"{name:16} {apart[0]:.0e}    {apart[1]:.0e}")
    assert apart[0] < 1e-12 and apart[1] < 1e-8

# %% [markdown]
# With the library the agreement is to the last digits of a float64. With finite differences it is to ten
# digits or so, which is all that they can do.
#
# ## Train a network with it
#
# The digits are 1797 images of 8 x 8 pixels. The network has 32 hidden units. A step takes 64 images,
# computes the loss, and moves each weight against its gradient. That is all of **stochastic gradient
# descent**.

# %%
x_train, y_train, x_test, y_test = tl.data.split(*tl.data.load_digits())
x_train, x_test = x_train.astype(np.float64), x_test.astype(np.float64)
start = [rng.standard_normal(shape) * scale for shape, scale in (
    ((64, 32), (2 / 64) ** 0.5), ((32,), 0.0), ((32, 10), (2 / 32) ** 0.5), ((10,), 0.0))]
batches = [rng.integers(0, len(x_train), 64) for _ in range(500)]
RATE = 0.3

def network(x, w1, b1, w2, b2):
    return relu(x @ w1 + b1) @ w2 + b2

weights = [Tensor(w.copy(), requires_grad=True) for w in start]
losses = []
for rows in batches:
    loss = cross_entropy(network(x_train[rows], *weights), y_train[rows])
    for w in weights:
        w.grad = None
    loss.backward()
    for w in weights:
        w.array -= RATE * w.grad
    losses.append(loss.array.item())

predicted = network(x_test, *weights).array.argmax(1)
accuracy = (predicted == y_test).mean()
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}")
print(f"right of the images that it has not seen: {accuracy:.1%}")
assert accuracy > 0.9

# %% [markdown]
# Two lines are easily forgotten. The gradients are set to `None` before each step, because `backward` adds to
# what is there. And the weights change in place, `w.array -= …`, and not `w = w - …`: the latter would be an
# operation, and the tape would grow from step to step.
#
# These are the images that it got wrong, each with the digit that it took it for:

# %%
wrong = np.flatnonzero(predicted != y_test)[:10]
figure, axes = plt.subplots(1, len(wrong), figsize=(9, 1.4), squeeze=False)
for ax, i in zip(axes[0], wrong):
    ax.imshow(x_test[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{y_test[i]} as {predicted[i]}", fontsize=9)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The same in the library
#
# The same program with the library's tensors, from the same weights, in float64, with the same batches:

# %%
theirs = [tl.tensor(w, requires_grad=True) for w in start]
their_losses = []
for rows in batches:
    x, (w1, b1, w2, b2) = tl.tensor(x_train[rows]), theirs
    logits = (x @ w1 + b1).relu() @ w2 + b2
    loss = nn.functional.cross_entropy(logits, tl.tensor(y_train[rows]))
    for w in theirs:
        w.grad = None
    loss.backward()
    with tl.no_grad():
        for w in theirs:
            w -= RATE * w.grad
    their_losses.append(loss.item())

apart = np.abs(np.array(losses) - their_losses).max()
print(f"no loss of the {len(losses)} differs by more than {apart:.0e}")
assert apart < 1e-8

# %% [markdown]
# And as one writes it: with modules, an optimizer, and a step that is compiled to a numpy program.

# %%
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).double()
model.load_state_dict(dict(zip(model.state_dict(), (tl.tensor(w.T) for w in start))))
optimizer = optim.SGD(model.parameters(), lr=RATE)

@tl.compile
def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

compiled = []
for rows in batches:
    compiled.append(step(tl.tensor(x_train[rows]), tl.tensor(y_train[rows])).item())

figure, ax = plt.subplots(figsize=(7, 3))
ax.plot(losses, lw=4, alpha=0.35, label="this notebook")
ax.plot(their_losses, "--", label="the library")
ax.plot(compiled, ":", color="black", label="compiled")
ax.set(xlabel="step", ylabel="loss", yscale="log")
ax.legend()
plt.show()
assert np.abs(np.array(losses) - compiled).max() < 1e-8

# %% [markdown]
# Three programs, and one curve: they compute the same.
#
# ## What the hundred lines leave out
#
# They are right as far as they go. Here is where they end. The first case is dangerous, because nothing tells
# you: an array that a rule still needs is changed in place.

# %%
x = Tensor([1.0, 2.0], requires_grad=True)
result = total(x * x)
x.array += 10
result.backward()
print("this notebook gives", x.grad, "where [2. 4.] is right")

x = tl.tensor([1.0, 2.0], requires_grad=True)
result = (x * x).sum()
with tl.no_grad():
    x += 10
try:
    result.backward()
    refused = False
except RuntimeError as error:
    refused = True
    print("the library says:", error)
assert refused

# %% [markdown]
# The second is that the rules compute with arrays. So the backward pass is not recorded, and there is no
# derivative of a derivative. The library's rules are written in its own operations, and can be recorded too:

# %%
x = tl.tensor([1.0, 2.0], requires_grad=True)
(slope,) = tl.autograd.grad((x * x * x).sum(), x, create_graph=True)
(curvature,) = tl.autograd.grad(slope.sum(), x)
print("3 x² is", slope.tolist(), "and 6 x is", curvature.tolist())
assert curvature.tolist() == [6, 12]

# %% [markdown]
# There is more that is left out, and each has a page of its own:
#
# - **Changes in place, and views**: each change leaves a stamp, and a rule that would read a changed value is
#   an error. [In-place changes and views](../in_place.md)
# - **Derivatives of functions, to any order**: `tl.func`, made of the same rules. [Derivatives of
#   functions](../func.md)
# - **Memory**: the library drops values as the tape is read, and `tl.checkpoint` keeps fewer. [How reverse
#   mode works](../reverse_mode.md)
# - **Dtypes**: float16 to float64, whole numbers, and PyTorch's rules for pairs of them. [From this to
#   PyTorch and JAX](../pytorch_and_jax.md)
# - **Switches and hooks**: `no_grad`, functions that see each gradient, the search for the first NaN. [Read
#   the engine in an evening](../engine.md)
# - **One rule for many operations**: softmax, norms, attention and LSTM are single operations, with rules
#   derived on paper. [Derive it by hand](../by_hand/index.md)
# - **Speed**: the numpy program of a step. [Compile](../compiled.md)
# - **Pictures**: `tl.tape`, `tl.draw` and `tl.explore` show what was computed. [See what was
#   computed](../views.md)
#
# Next: [Read the engine in an evening](../engine.md), which goes through the library's engine in the same
# order.
