"""An autograd engine for arrays

unbroadcast(grad, shape)   grad (...) -> an array of the given shape, which broadcasts to that of grad
Tensor(data)               an array that remembers how it was computed
    a + b, a * b           elementwise, with numpy's broadcasting
    a @ b                  matrix product of (..., N, K) and (..., K, M), where the leading axes broadcast
    out.backward()         adds to v.grad the derivative of the sum of out's numbers, for every Tensor v that out was
                           computed from, out among them; it may be called again, also where graphs share Tensors

data is what numpy makes an array of; t.data is an array of floats, and t.grad one of the same shape, which starts with
zeros. The other operand may be a Tensor, a number or an array, on either side; __array_ufunc__ = None in the class
tells numpy to leave `array + tensor` to the Tensor's __radd__. The operands of @ have two axes or more. A Tensor may be
used many times, and a graph may be thousands of operations deep.

unbroadcast is the gradient of broadcasting: it sums grad over the axes that were added in front, and over those that
were stretched from length 1. sys.setrecursionlimit is forbidden.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="hard", minutes=15,
    hints=["Each Tensor keeps its parents, and for each parent a function from its own gradient to the parent's.",
           "unbroadcast: sum over the first grad.ndim - len(shape) axes, and then with keepdims=True over the axes "
           "where shape has 1 and grad has not.",
           "For c = a @ b with the gradient g: a gets g @ b^T and b gets a^T @ g, where T exchanges the last two axes "
           "only; and then unbroadcast, as the leading axes may have been broadcast.",
           "backward(): ones for out, and then all Tensors in an order in which each comes after all that use it; a "
           "depth-first search with a list as its stack gives it, reversed.",
           "array @ tensor calls __rmatmul__, and there the order matters: Tensor(other) @ self."],
    pitfalls=["What was broadcast gets the sum over all its copies, in its own shape.",
              "grad += g writes into an array that another Tensor may have as its gradient; grad = grad + g does not.",
              "Recursion ends at a depth of 1000; a recurrent network is deeper."],
    forbidden=("sys.setrecursionlimit",),
)


@drill.reference
def unbroadcast(grad, shape):
    """grad: an array, shape: a tuple that broadcasts to grad.shape -> array of that shape"""
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))  # axes that broadcasting has put in front
    stretched = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return grad.sum(axis=stretched, keepdims=True)  # over no axes at all it stays what it is


@drill.reference
class Tensor:
    """An array that remembers how it was computed."""

    __array_ufunc__ = None  # array + tensor: numpy leaves it to __radd__, in place of adding number by number

    def __init__(self, data, parents=(), pullbacks=()):
        """data: an array; parents: the Tensors it was computed from; pullbacks: from its gradient to each of theirs"""
        self.data = np.asarray(data, dtype=float)
        self.grad = np.zeros_like(self.data)
        self.parents, self.pullbacks = parents, pullbacks

    def __add__(self, other):
        """self + other, where other is a Tensor, a number or an array"""
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data + other.data, (self, other), (lambda g: g, lambda g: g))

    def __radd__(self, other):
        """other + self"""
        return self + other

    def __mul__(self, other):
        """self * other, where other is a Tensor, a number or an array"""
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data * other.data, (self, other), (lambda g: g * other.data, lambda g: g * self.data))

    def __rmul__(self, other):
        """other * self"""
        return self * other

    def __matmul__(self, other):
        """self @ other: (..., N, K) @ (..., K, M)"""
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data @ other.data, (self, other), (
            lambda g: g @ np.swapaxes(other.data, -1, -2),  # (..., N, M) @ (..., M, K)
            lambda g: np.swapaxes(self.data, -1, -2) @ g))  # (..., K, N) @ (..., N, M)

    def __rmatmul__(self, other):
        """other @ self, where other is an array"""
        return Tensor(other) @ self  # matrices do not commute

    def backward(self):
        """Add the derivative of self.data.sum() to v.grad of every Tensor v that self was computed from."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:  # depth first; a list as the stack, since recursion ends at a depth of 1000
            tensor, parents_done = stack.pop()
            if parents_done:
                order.append(tensor)
            elif id(tensor) not in seen:
                seen.add(id(tensor))
                stack.append((tensor, True))
                stack.extend((parent, False) for parent in tensor.parents)
        gradients = {id(self): np.ones_like(self.data)}  # of this call alone: earlier ones must not pass on again
        for tensor in reversed(order):  # after all that use it, so that its gradient is complete
            grad = gradients.pop(id(tensor))
            tensor.grad = tensor.grad + grad  # a new array: other Tensors may hold the old one
            for parent, pullback in zip(tensor.parents, tensor.pullbacks):
                part = unbroadcast(pullback(grad), parent.data.shape)  # back to the shape that was broadcast
                gradients[id(parent)] = gradients.get(id(parent), 0.0) + part


rng = np.random.default_rng(0)
drill.case(unbroadcast, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (3,),
           why="a bias (3,) was added to each row, so that its gradient is the sum over the rows")
drill.case(unbroadcast, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (2, 1),
           why="an axis of length 1 was stretched: sum over it, and keep it with length 1")
drill.case(unbroadcast, rng.standard_normal((4, 2, 3)), (1, 3),
           why="axes in front and stretched axes may come together: sum over both")


@drill.program(why="of a * b the derivative by a is b, and each Tensor's gradient starts with zeros")
def _(Tensor):
    """out = a * b + a, out.backward() with a and b of shape (2, 2); out.data, a.grad, b.grad, and c.grad of another"""
    a, b, c = Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[5.0, 6.0], [7.0, 8.0]]), Tensor([1.0, 2.0])
    out = a * b + a
    out.backward()
    return out.data, a.grad, b.grad, c.grad


@drill.program(why="what was broadcast gets the sum over its copies, in its own shape")
def _(Tensor):
    """((w * x + b) * (b + x) * w).backward() with x (4, 3), w (3,) and b (4, 1); all gradients"""
    x, w, b = Tensor(np.arange(12.0).reshape(4, 3)), Tensor([1.0, 2.0, 3.0]), Tensor(np.ones((4, 1)))
    ((w * x + b) * (b + x) * w).backward()  # each on either side of either operation
    return x.grad, w.grad, b.grad


@drill.program(why="for a @ b with the gradient g, a gets g @ b^T and b gets a^T @ g")
def _(Tensor):
    """(a @ b * c).backward() with a (2, 3), b (3, 4) and c (2, 4); all gradients"""
    a, b, c = (Tensor(np.arange(1.0, m * n + 1).reshape(m, n)) for m, n in ((2, 3), (3, 4), (2, 4)))
    (a @ b * c).backward()
    return a.grad, b.grad, c.grad


@drill.program(why="only the last two axes are transposed, and what is the same for all of the batch gets the sum")
def _(Tensor):
    """(a @ b @ c).backward() with a (5, 2, 3), b (3, 4) and c (2, 1, 4, 3); all gradients"""
    draw = np.random.default_rng(1)
    a, b, c = (Tensor(draw.standard_normal(shape)) for shape in ((5, 2, 3), (3, 4), (2, 1, 4, 3)))
    out = a @ b @ c
    out.backward()
    return out.data, a.grad, b.grad, c.grad


@drill.program(why="numbers may stand on either side: 2 * a calls a.__rmul__(2)")
def _(Tensor):
    """out = 2 * a + 1 + (3 + a * 4) * b, out.backward() with a (3,) and b (); out.data, a.grad and b.grad"""
    a, b = Tensor([1.0, 2.0, 3.0]), Tensor(5.0)
    out = 2 * a + 1 + (3 + a * 4) * b
    out.backward()
    return out.data, a.grad, b.grad


@drill.program(why="arrays may stand on either side: with __array_ufunc__ = None numpy leaves array @ tensor to "
               "__rmatmul__, and the order of the factors stays")
def _(Tensor):
    """out = m @ (a @ n) + (m * a + n), out.backward() with a Tensor a and arrays m, n (2, 2); out.data and a.grad"""
    a, m, n = Tensor([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 5.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [3.0, 1.0]])
    out = m @ (a @ n) + (m * a + n)
    out.backward()
    return out.data, a.grad


@drill.program(why="a Tensor passes its gradient on when all that use it have added theirs: topological order")
def _(Tensor):
    """y = x * x, (x * (y * y) + y).backward() with x (2,); x.grad and y.grad"""
    x = Tensor([3.0, 2.0])
    y = x * x
    (x * (y * y) + y).backward()
    return x.grad, y.grad


@drill.program(why="gradients of several calls add up, and what the first has left is not passed on by the second")
def _(Tensor):
    """b = a * 2, b.backward() and then (b * 3).backward(); a.grad and b.grad"""
    a = Tensor([1.0, 2.0])
    b = a * 2
    b.backward()
    (b * 3).backward()
    return a.grad, b.grad


@drill.program(why="a recursive search ends at a depth of 1000: keep the stack in a list")
def _(Tensor):
    """a chain of 2000 additions of a to itself; a.grad"""
    a = total = Tensor([1.0])
    for _ in range(2000):
        total = total + a
    total.backward()
    return a.grad


def ordered(out):
    """All Tensors that one was computed from, each after all that use it."""
    order, seen, stack = [], set(), [(out, False)]
    while stack:
        tensor, parents_done = stack.pop()
        if parents_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((parent, False) for parent in tensor.parents)
    return order[::-1]


def parts(tensor, grad):
    """The parents of a Tensor, each with what it gets of a gradient."""
    return [(parent, unbroadcast(pullback(grad), parent.data.shape))
            for parent, pullback in zip(tensor.parents, tensor.pullbacks)]


def passed_on(order, gradients):
    """Add to the gradients of all Tensors, from that of the first."""
    for tensor in order:
        grad = gradients[id(tensor)]
        tensor.grad = tensor.grad + grad
        for parent, part in parts(tensor, grad):
            gradients[id(parent)] = gradients.get(id(parent), 0.0) + part


@drill.wrong(unbroadcast, "gradient not unbroadcast", "the gradient has the shape of the result: sum it to the shape "
             "of what was broadcast")
def _(grad, shape):
    return grad


@drill.wrong(unbroadcast, "stretched axes missed", "an axis of length 1 was stretched as well: sum over it with "
             "keepdims=True")
def _(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    return grad


@drill.wrong(unbroadcast, "axes in front missed", "broadcasting puts axes in front of the shorter shape: sum over "
             "them, without keepdims")
def _(grad, shape):
    for axis, length in enumerate(shape):
        if length == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


@drill.wrong(unbroadcast, "stretched axes dropped", "an axis of length 1 stays, with length 1: keepdims=True")
def _(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(axis for axis, length in enumerate(shape) if length == 1))


@drill.wrong(unbroadcast, "the last axes summed", "shapes are aligned at their ends: what is added by broadcasting is "
             "in front")
def _(grad, shape):
    grad = grad.sum(axis=tuple(range(len(shape), grad.ndim)))
    return grad.sum(axis=tuple(axis for axis, length in enumerate(shape) if length == 1), keepdims=True)


@drill.wrong(unbroadcast, "mean in place of the sum", "each copy has its part in the result, and they add up")
def _(grad, shape):
    grad = grad.mean(axis=tuple(range(grad.ndim - len(shape))))
    return grad.mean(axis=tuple(axis for axis, length in enumerate(shape) if length == 1), keepdims=True)


@drill.wrong(Tensor, "own derivative in mul", "the derivative of a * b by a is b, and not a")
class _(Tensor):
    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data * other.data, (self, other), (lambda g: g * self.data, lambda g: g * other.data))


@drill.wrong(Tensor, "factors of matmul exchanged", "matrices do not commute: a gets g @ b^T and b gets a^T @ g")
class _(Tensor):
    def __matmul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data @ other.data, (self, other), (
            lambda g: np.swapaxes(other.data, -1, -2) @ g, lambda g: g @ np.swapaxes(self.data, -1, -2)))


@drill.wrong(Tensor, "matmul without transposing", "a gets g @ b^T and b gets a^T @ g: the inner lengths have to match")
class _(Tensor):
    def __matmul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data @ other.data, (self, other), (lambda g: g @ other.data, lambda g: self.data @ g))


@drill.wrong(Tensor, ".T of a batch", ".T reverses all axes, those of the batch too: np.swapaxes(x, -1, -2)")
class _(Tensor):
    def __matmul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data @ other.data, (self, other), (lambda g: g @ other.data.T, lambda g: self.data.T @ g))


@drill.wrong(Tensor, "sides of __rmatmul__ exchanged", "m @ a calls a.__rmatmul__(m): the Tensor is the right factor")
class _(Tensor):
    def __rmatmul__(self, other):
        return self @ other


@drill.wrong(Tensor, "no number on the left", "2 * a asks int first, and then a.__rmul__(2): define __radd__ and "
             "__rmul__")
class _(Tensor):
    def __radd__(self, other):
        return NotImplemented  # which is what Python takes a method for that is not there

    __rmul__ = __radd__


@drill.wrong(Tensor, "no number on the left", "3 + a asks int first, and then a.__radd__(3): define it as "
             "well as __rmul__")
class _(Tensor):
    def __radd__(self, other):
        return NotImplemented


@drill.wrong(Tensor, "numbers not made Tensors", "a number has no .data: make a Tensor of what is none")
class _(Tensor):
    def __mul__(self, other):
        return Tensor(self.data * other.data, (self, other), (lambda g: g * other.data, lambda g: g * self.data))


@drill.wrong(Tensor, "no __rmatmul__", "array @ tensor asks numpy first, and then tensor.__rmatmul__(array)")
class _(Tensor):
    def __rmatmul__(self, other):
        return NotImplemented


@drill.wrong(Tensor, "numpy takes the Tensor apart", "numpy treats an unknown operand as a single object, and adds it "
             "number by number; __array_ufunc__ = None in the class leaves it to __radd__")
class _(Tensor):
    def __array_ufunc__(self, ufunc, method, left, right):
        single = np.empty((), object)
        single[()] = right
        return ufunc(left, single)


@drill.wrong(Tensor, "= in place of +=", "a Tensor that is used more than once gets the sum of its gradients")
class _(Tensor):
    def backward(self):
        self.grad = np.ones_like(self.data)
        for tensor in ordered(self):
            for parent, part in parts(tensor, tensor.grad):
                parent.grad = part


@drill.wrong(Tensor, "no topological order", "a Tensor that passes its gradient on before all its users have added "
             "theirs passes on too little, or passes it on twice; sort first")
class _(Tensor):
    def backward(self):
        self.grad = np.ones_like(self.data)
        queue = [self]
        for tensor in queue:
            for parent, part in parts(tensor, tensor.grad):
                parent.grad = parent.grad + part
                queue.append(parent)


@drill.wrong(Tensor, "no topological order", "a Tensor that is passed over when it is met again passes on what it had "
             "the first time; sort first")
class _(Tensor):
    def backward(self):
        self.grad = np.ones_like(self.data)
        queue, seen = [self], {id(self)}
        for tensor in queue:
            for parent, part in parts(tensor, tensor.grad):
                parent.grad = parent.grad + part
                if id(parent) not in seen:
                    seen.add(id(parent))
                    queue.append(parent)


@drill.wrong(Tensor, "recursion too deep", "Python ends a recursion at a depth of 1000; keep the stack in a list")
class _(Tensor):
    def backward(self):
        order, seen = [], set()

        def visit(tensor):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                for parent in tensor.parents:
                    visit(parent)
                order.append(tensor)

        visit(self)
        passed_on(order[::-1], {id(self): np.ones_like(self.data)})


@drill.wrong(Tensor, "old gradients passed on again", "what an earlier call has left in grad is not part of this one: "
             "keep the gradients of a call apart, and add them to grad at the end")
class _(Tensor):
    def backward(self):
        self.grad = self.grad + np.ones_like(self.data)
        for tensor in ordered(self):
            for parent, part in parts(tensor, tensor.grad):
                parent.grad = parent.grad + part


@drill.wrong(Tensor, "old gradients passed on again", "what an earlier call has left in grad is not part of this one: "
             "keep the gradients of a call apart, and add them to grad at the end")
class _(Tensor):
    def backward(self):
        self.grad = np.ones_like(self.data)
        for tensor in ordered(self):
            for parent, part in parts(tensor, tensor.grad):
                parent.grad = parent.grad + part


@drill.wrong(Tensor, "gradients of earlier calls lost", "as in PyTorch, gradients add up until they are set to 0")
class _(Tensor):
    def backward(self):
        order = ordered(self)
        for tensor in order:
            tensor.grad = np.zeros_like(tensor.data)
        passed_on(order, {id(self): np.ones_like(self.data)})


@drill.wrong(Tensor, "one array for two gradients", "of a + b both get the gradient g, the same array: += into one "
             "changes the other; grad = grad + g makes a new one")
class _(Tensor):
    def backward(self):
        gradients = {id(self): np.ones_like(self.data)}
        for tensor in ordered(self):
            tensor.grad = gradients[id(tensor)]
            for parent, pullback in zip(tensor.parents, tensor.pullbacks):
                part = pullback(tensor.grad)
                if part.shape != parent.data.shape:
                    part = unbroadcast(part, parent.data.shape)
                if id(parent) in gradients:
                    gradients[id(parent)] += part
                else:
                    gradients[id(parent)] = part


@drill.wrong(Tensor, "backward starts with a number", "the gradient of out has the shape of out: ones, and not 1")
class _(Tensor):
    def backward(self):
        passed_on(ordered(self), {id(self): np.float64(1.0)})
