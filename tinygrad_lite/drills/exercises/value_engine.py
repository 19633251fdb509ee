"""A scalar autograd engine

Value(data)     a number that remembers how it was computed; .data is the number, .grad starts at 0.0
a + b, a * b    give new Values; b may be a plain number, and so may a
a.relu()        max(a, 0)
out.backward()  adds d out / d v to v.grad of every Value v that out was computed from

A Value may be used many times, and a graph may be thousands of operations deep. backward() is called once for each
result; the gradients of several results add up.
"""

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="hard", minutes=15,
    hints=["Each Value keeps its parents, and for each parent the local derivative: of a * b these are b and a.",
           "backward() needs the Values in an order in which a Value comes only after all that use it.",
           "A depth-first search that notes a Value after its parents gives such an order, reversed. Write it with a "
           "list as its stack: recursion ends at a depth of 1000.",
           "For each Value in that order: parent.grad += local * value.grad. With `=` the second use of a Value would "
           "overwrite the first. (Kept in a dictionary, the gradients of this pass stay apart from earlier ones.)",
           "2 * a calls int.__mul__, which does not know a Value, and then a.__rmul__(2)."],
    pitfalls=["A Value that is used twice gets the sum of both gradients: += and not =.",
              "A node may pass its gradient on only when all who use it have added theirs: topological order.",
              "Recursion ends at a depth of 1000; a loop of 10,000 additions is deeper."],
)


@drill.reference
class Value:
    """A number that remembers how it was computed."""

    def __init__(self, data, parents=(), locals_=()):
        """data: the number; parents: the Values it was computed from; locals_: the derivative by each of them"""
        self.data, self.grad = data, 0.0
        self.parents, self.locals_ = parents, locals_

    def __add__(self, other):
        """self + other, where other is a Value or a number"""
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __radd__(self, other):
        """other + self, where other is a number"""
        return self + other

    def __mul__(self, other):
        """self * other, where other is a Value or a number"""
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __rmul__(self, other):
        """other * self, where other is a number"""
        return self * other

    def relu(self):
        """max(self, 0)"""
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    def backward(self):
        """Add d self / d v to v.grad of every Value v that self was computed from."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:  # depth first; a list as the stack, since recursion ends at a depth of 1000
            value, parents_done = stack.pop()
            if parents_done:
                order.append(value)  # after all its parents
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack.extend((parent, False) for parent in value.parents)
        flow = {id(self): 1.0}  # of this pass alone: .grad may hold what earlier passes have added
        for value in reversed(order):  # after all that use it, so that its gradient is complete
            value.grad += flow[id(value)]
            for parent, local in zip(value.parents, value.locals_):  # added up, for a parent may be used again
                flow[id(parent)] = flow.get(id(parent), 0.0) + local * flow[id(value)]


@drill.program(why="of a * b the derivative by a is b, and by b it is a")
def _(Value):
    """a = Value(2), b = Value(-3), out = a * b + a; out.data, a.grad and b.grad after out.backward()"""
    a, b = Value(2.0), Value(-3.0)
    out = a * b + a
    out.backward()
    return out.data, a.grad, b.grad


@drill.program(why="a is used twice, so it gets the sum of two gradients: += and not =")
def _(Value):
    """a = Value(3), (a + a).backward(); a.grad"""
    a = Value(3.0)
    (a + a).backward()
    return a.grad


@drill.program(why="b passes its gradient on twice, and only when both have arrived: topological order")
def _(Value):
    """b = a * a, c = b * b + b, c.backward(); a.grad for a = 2"""
    a = Value(2.0)
    b = a * a
    (b * b + b).backward()
    return a.grad


@drill.program(why="of two ways to a Value the longer one counts as well: topological order, not breadth first")
def _(Value):
    """x = Value(3), y = x * x, out = x * (y * y) + y, out.backward(); x.grad and y.grad"""
    x = Value(3.0)
    y = x * x
    (x * (y * y) + y).backward()
    return x.grad, y.grad


@drill.program(why="the derivative of relu is 0 where its input is negative")
def _(Value):
    """(a * 2).relu() for a = -1 and for a = 0.25; the values and the gradients"""
    found = []
    for start in (-1.0, 0.25):
        a = Value(start)
        out = (a * 2.0).relu()
        out.backward()
        found += [out.data, a.grad]
    return found


@drill.program(why="2 + a and 2 * a call __radd__ and __rmul__")
def _(Value):
    """out = 2 + 3 * a, out.backward(); out.data and a.grad for a = 4"""
    a = Value(4.0)
    out = 2 + 3 * a
    out.backward()
    return out.data, a.grad


@drill.program(why="as in PyTorch, gradients of several backward passes add up until they are set to 0")
def _(Value):
    """(a * 3).backward() and (a * 5).backward(); a.grad"""
    a = Value(1.0)
    (a * 3.0).backward()
    (a * 5.0).backward()
    return a.grad


@drill.program(why="a recursive search ends at a depth of 1000: keep the stack in a list")
def _(Value):
    """a chain of 20,000 additions of a to itself; a.grad"""
    a = total = Value(1.0)
    for _ in range(20_000):
        total = total + a
    total.backward()
    return a.grad


@drill.wrong(Value, "+= missing on reused nodes",
             "a Value that is used twice gets the sum of both gradients: += and not =")
class _(Value):
    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            value, parents_done = stack.pop()
            if parents_done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack.extend((parent, False) for parent in value.parents)
        self.grad = 1.0
        for value in reversed(order):
            for parent, local in zip(value.parents, value.locals_):
                parent.grad = local * value.grad


@drill.wrong(Value, "no topological order",
             "a Value that passes its gradient on before all its users have added theirs "
             "passes on too little, or passes it on twice; sort the Values first")
class _(Value):
    def backward(self):
        self.grad += 1.0
        queue = [self]
        while queue:
            value = queue.pop(0)
            for parent, local in zip(value.parents, value.locals_):
                parent.grad += local * value.grad
                queue.append(parent)


@drill.wrong(Value, "no topological order",
             "a Value that is passed over when it is met again passes on what it had the "
             "first time; sort the Values first")
class _(Value):
    def backward(self):
        self.grad += 1.0
        queue, seen = [self], {id(self)}
        while queue:
            value = queue.pop(0)
            for parent, local in zip(value.parents, value.locals_):
                parent.grad += local * value.grad
                if id(parent) not in seen:
                    seen.add(id(parent))
                    queue.append(parent)


@drill.wrong(Value, "recursion too deep", "Python ends a recursion at a depth of 1000; keep the stack in a list")
class _(Value):
    def backward(self):
        order, seen = [], set()

        def visit(value):
            if id(value) not in seen:
                seen.add(id(value))
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad += 1.0
        for value in reversed(order):
            for parent, local in zip(value.parents, value.locals_):
                parent.grad += local * value.grad


@drill.wrong(Value, "own derivative in mul", "the derivative of a * b by a is b, and not a")
class _(Value):
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (self.data, other.data))


@drill.wrong(Value, "relu passes every gradient on", "where the input is negative relu is 0, and so is its derivative")
class _(Value):
    def relu(self):
        return Value(max(self.data, 0.0), (self,), (1.0,))
