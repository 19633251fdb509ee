"""Random changes of nn's containers: order, names and errors stay those of PyTorch's.

Left out is what PyTorch 2.13 does wrongly: ModuleList.insert before a negative index or past the end, and what follows
a slice of a Sequential that does not begin at 0, where append replaces a module.
"""

import random

import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")


def layer(lib, number):
    """A module that can be told from others by its weight."""
    made = lib.nn.Linear(1, 1, bias=False)
    made.load_state_dict({"weight": lib.full((1, 1), float(number))})
    return made


def several(lib, c, numbers):
    return type(c)(*(layer(lib, n) for n in numbers)) if isinstance(c, lib.nn.Sequential) else type(c)(
        layer(lib, n) for n in numbers)


def add_in_place(lib, c, i, j, new):
    c += several(lib, c, new)
    return c


LISTS = {  # library, container, two places, numbers of new modules -> the container that comes next, or anything else
    "append": lambda lib, c, i, j, new: c.append(layer(lib, new[0])),
    "extend": lambda lib, c, i, j, new: c.extend(several(lib, c, new)),
    "insert": lambda lib, c, i, j, new: c.insert(abs(i), layer(lib, new[0])),
    "c[i] = m": lambda lib, c, i, j, new: c.__setitem__(i, layer(lib, new[0])),
    "del c[i]": lambda lib, c, i, j, new: c.__delitem__(i),
    "del c[i:j]": lambda lib, c, i, j, new: c.__delitem__(slice(i, j)),
    "pop": lambda lib, c, i, j, new: c.pop(i),
    "pop several": lambda lib, c, i, j, new: (c.pop(slice(i, j)),),
    "c + other": lambda lib, c, i, j, new: c + several(lib, c, new),
    "c += other": add_in_place,
    "c[:j]": lambda lib, c, i, j, new: c[:j],
}
SEQUENTIAL = LISTS | {
    "insert": lambda lib, c, i, j, new: c.insert(i, layer(lib, new[0])),
    "c * 2": lambda lib, c, i, j, new: c * 2 if len(c) < 9 else None,
    "c *= 2": lambda lib, c, i, j, new: c.__imul__(2 if len(c) < 9 else 1),
    "* 0": lambda lib, c, i, j, new: c * 0,
}
MODULE_LIST = LISTS | {
    "c[i:j]": lambda lib, c, i, j, new: c[i:j],
    "c + a list": lambda lib, c, i, j, new: c + list(several(lib, c, new)),
    "twice the same": lambda lib, c, i, j, new: c.append(c[i]),
}
NAMES = ["0", "1", "2", "-1", "a", "b", "weight", "keys", "", "a.b"]
MODULE_DICT = {
    "c[name] = m": lambda lib, c, i, j, new: c.__setitem__(NAMES[i], layer(lib, new[0])),
    "del c[name]": lambda lib, c, i, j, new: c.__delitem__(NAMES[i]),
    "pop": lambda lib, c, i, j, new: c.pop(NAMES[i]),
    "in": lambda lib, c, i, j, new: NAMES[i] in c and c.clear(),
    "a dict": lambda lib, c, i, j, new: c.update({NAMES[k]: layer(lib, n) for k, n in zip((i, j), new)}),
    "pairs": lambda lib, c, i, j, new: c.update([(NAMES[k], layer(lib, n)) for k, n in zip((i, j), new)]),
}


def changed(change, lib, container, *args):
    """The container after the change, and the kind of error if it got one."""
    try:
        made = change(lib, container, *args)
    except (IndexError, KeyError, ValueError) as error:
        return container, type(error)
    return made if isinstance(made, type(container)) else container, None


def contents(container):
    state = [(name, t.item()) for name, t in container.state_dict().items()]
    modules = container.values() if hasattr(container, "values") else container
    return state, [m.weight.item() for m in modules], len(container)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind, changes", [("ModuleList", MODULE_LIST), ("Sequential", SEQUENTIAL),
                                           ("ModuleDict", MODULE_DICT)])
def test_the_same_changes_give_the_same_order_and_names(kind, changes, seed):
    rng, done = random.Random(seed), []
    ours, theirs = getattr(tl.nn, kind)(), getattr(torch.nn, kind)()
    for step in range(40):
        places = rng.choices(range(len(NAMES)) if kind == "ModuleDict" else range(-len(theirs), len(theirs) + 1), k=2)
        done.append(rng.choice(list(changes)))
        change, new = changes[done[-1]], [10 * step + n for n in range(rng.randint(1, 3))]
        ours, error = changed(change, tl, ours, *places, new)
        theirs, expected = changed(change, torch, theirs, *places, new)
        assert error == expected and contents(ours) == contents(theirs), done
