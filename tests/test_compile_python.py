"""What programs do with numpy arrays, numbers, results and errors, beside the function as it is."""

import json

import pytest
from compiling import compare, outcomes

import tinygrad_lite as tl

pytestmark = pytest.mark.filterwarnings("ignore:you are shuffling", "ignore::PendingDeprecationWarning")

# ---------------------------------------------------------------- arrays that are changed in place
VIEWS = """np.squeeze(x) | x.squeeze() | np.atleast_1d(x) | np.atleast_2d(x) | np.ravel(x) | x.ravel() | np.asarray(x) |
np.ascontiguousarray(x) | x.view() | x[...] | x[::-1] | np.expand_dims(x, 0) | x[None] | np.flip(x) | np.real(x) | x.T |
x.astype('f8', copy=False) | x.reshape(2, 2) | np.split(x, 2)[0] | np.hsplit(x, 2)[0] | next(iter(x.reshape(2, 2))) |
np.diagonal(x.reshape(2, 2)) | np.moveaxis(x.reshape(2, 2), 0, 1) | np.lib.stride_tricks.as_strided(x, (2,), (8,)) |
np.nan_to_num(x, copy=False) | np.positive(x) | np.copy(x) | x + 0"""
WRITES = """x.clip(0, 3, out=x) | np.clip(x, 0, 3, x) | x.cumsum(0, out=x) | np.cumsum(x, 0, None, x) | np.round(x, 0, x) |
x.round(0, x) | np.add(x, 1, x) | np.add.accumulate(x, 0, None, x) | np.negative(x, x) | np.sqrt(x, out=x) |
np.copyto(x, x * 2) | np.put(x, [0], [7]) | np.place(x, x > 2, [1.0]) | np.putmask(x, x > 2, 0) | x.put([0], [7]) |
x.partition(1) | x.sort() | x.fill(3) | np.fill_diagonal(x.reshape(2, 2), 0) | np.multiply.at(x, [0], 3) |
np.take(x, [0, 1, 2, 3], 0, x) | np.matmul(np.eye(4), x, x) | np.dot(np.eye(4), x * 1, x) | np.choose([0] * 4, [x * 2, x], x) |
np.einsum('i->i', x * 2, out=x) | np.random.default_rng(0).shuffle(x) | np.concatenate([x[:2], x[2:]], 0, x) |
np.mean(x, 0, None, x[:1].reshape(())) | x.max(0, x[:1].reshape(())) | np.sum(x, 0, None, x[:1].reshape(())) |
np.add(x, 1, out=x, where=x > 2) | np.median(x, overwrite_input=True) | x.__setitem__(0, 9) | x.setfield(2, 'f8') |
np.maximum(x, 2, out=x) | np.divmod(x, 2, out=(x, np.empty(4))) | np.clip(x, 0, 3, kept) | x.clip(0, 3, out=kept)"""
GIVEN_UP = """x[1:].add_(1) | x.T.mul_(2) | x.reshape(-1)[1:].add_(1) | x.diagonal().add_(1) | x.grad[0].mul_(5) |
np.asarray(x)[0] = 5 | x.numpy()[0] = 5 | y.add_(1)"""
LAYOUTS = """base[:, ::3] | base[:, :4] | base[:, 4:8] | base.reshape(8, 6)[::2, :4] | base.T[:4, :4] | base[::-1, :4] |
np.broadcast_to(base[0, :4], (4, 4)).copy() | np.asfortranarray(base[:, :4])"""


SHOWN = """np.ravel(y) | np.fliplr(y) | np.matrix_transpose(y) | np.rollaxis(y, 1) | np.diagonal(y) | np.unstack(y)[0] | y.T |
y.diagonal() | np.einsum('ij->ji', y) | np.vsplit(y, 2)[1] | np.array_split(y, 2)[0] | y.ravel() | y.swapaxes(0, 1) | y[::-1] |
np.broadcast_to(y, (3, 2, 2)) | np.moveaxis(y, 0, 1) | y.reshape(4, order='F') | y.copy('F').ravel('K') | y.astype('f4', 'F').ravel()"""
LIKE_NUMPY = """np.add.reduce(x) | np.maximum.reduce(x, None) | np.multiply.reduce(x, axis=(0, 1)) | np.add.reduce(x, 1, None, None, True) |
x.reshape(4, order='F') | x.copy('F').ravel('K') | x.astype(np.float32, 'F') | np.add.accumulate(x) | x * issubclass(type(l), float) |
x * {float: 2.0}[type(l)] | x * len(type(l).__name__) | x * {np.ndarray: 2.0}.get(type(x), 9.0) | x * (type(x.sum()) is np.float64) |
x * isinstance(l, type) | x * isinstance(x.sum(), float) | x * isinstance(x[0, 0], np.generic) | x * isinstance(x.sum(), np.ndarray) |
x.sum().astype(int) | x[0, 0].real | round(x.sum(), 1) | x.sum().round(1) | hash(x.sum()) | x.sum()[None] | -x.sum() | x.view(np.ndarray) |
x / np.array([0.0, -0.0]) | 1 / (x * -0.0 + 0) | x / abs(-l * 0)"""
UNUSED = {"an index": ("x[j]", "np.array([0 if i != 5 else 7])"), "a division": ("1 / j", "float(i != 5)"),
          "a power": ("2 ** j", "np.array([1 if i != 5 else -1])"), "a change": ("y = x * 1; y[j] = 1", "np.array([0 if i != 5 else 7])"),
          "a caught division": ("try: return x * (1 / j)\n    except ZeroDivisionError: x = x * 9", "float(i < 5)"),
          "a caught overflow": ("try: return x * (10.0 ** j)\n    except OverflowError: x = x * 9", "1.0 if i < 5 else 400.0")}


def each(texts):
    return [text.strip() for text in texts.replace("\n", " ").split(" | ")]


@pytest.mark.parametrize("of", ["x * 2", "x", "kept"])
@pytest.mark.parametrize("view", each(SHOWN))
def test_a_view_of_what_changes_afterwards(view, of):
    source = f"kept = np.arange(4.0).reshape(2, 2)\ndef f(x):\n    y = {of}\n    v = {view}\n    y += x\n    return v * 1"
    compare(source, "x = np.full((2, 2), i + 1.0); q = f(x); f(np.ones((2, 2))); x[...] = 50; r = q, np.shares_memory(q, kept), kept")


@pytest.mark.parametrize("expression", each(LIKE_NUMPY))
def test_what_numpy_gives(expression):
    compare(f"def f(x, l):\n    return {expression}", "x = np.array([[1.0, 2.0], [3.0, 4.0]]); r = f(x, 1.5)")


@pytest.mark.parametrize("name", UNUSED)
def test_an_error_is_raised_though_nobody_uses_the_value(name):
    body, j = UNUSED[name]
    compare(f"def f(x, j):\n    {body}\n    return x * 1", f"r = f(np.ones(3), {j})", 9)


@pytest.mark.parametrize("source", ["random.Random(1)", "np.random.RandomState(1)", "types.SimpleNamespace(random=np.random.default_rng(1).random)"])
def test_other_sources_of_random_numbers_go_on(source):
    compare(f"import random, types\nR = {source}\ndef f(x):\n    return x * (2 if R.random() < 0.9 else 3)",
            "r = f(tl.ones(2)), R.random() if i == 8 else 0", 9)


@pytest.mark.parametrize("other", ["np.matrix(x)", "np.ma.array(x, mask=[[0, 1], [1, 0]])", "tl.from_numpy(x)", "nn.Parameter(tl.from_numpy(x))"])
def test_the_type_of_an_array_is_part_of_the_key(other):
    compare("def f(x):\n    return (x * x, isinstance(x, nn.Parameter))", f"x = np.array([[1.0, 2.0], [3.0, 4.0]]); r = f(x if i < 5 else {other})", 8)


def test_gradients_that_are_also_arguments_or_are_exchanged():
    leaves = "p, q = tl.ones(2, requires_grad=True), tl.ones(2, requires_grad=True)\n"
    compare(leaves + "def f(g):\n    p.grad = None\n    return g * 2", "p.grad = tl.ones(2); r = f(p.grad), p")
    compare(leaves + "def f():\n    p.grad, q.grad = q.grad, p.grad",
            "p.grad, q.grad = tl.ones(2), tl.zeros(2); a, b = p.grad, q.grad; f(); r = p.grad is b, q.grad is a, p, q")


def test_changes_among_very_many_objects_are_seen():
    source = "class O: pass\nk = O(); k.data = [(i, [i]) for i in range(110_000)]; k.m = O(); k.m.n = O(); k.m.n.log = []\n" \
             "def f(x):\n    k.m.n.log.append(1)\n    return x * 2"
    compare(source, "r = f(tl.ones(2)), len(k.m.n.log)", 5)


@pytest.mark.parametrize("view", each(VIEWS))
def test_writing_through_what_numpy_gives(view):
    compare(f"def f(x):\n    y = {view}\n    y *= 2\n    return x * 1", "x = np.arange(1.0, 5.0); r = f(x), x")


@pytest.mark.parametrize("write", each(WRITES))
def test_a_numpy_function_that_changes_what_it_is_given(write):
    compare(f"def f(x):\n    kept = np.zeros(4)\n    {write}\n    return x + kept", "x = np.array([4.0, 2, 3, 1]); r = f(x), x")


@pytest.mark.parametrize("write", each(GIVEN_UP))
def test_after_a_value_has_been_looked_at_all_is_as_it_was(write):
    source = f"def f(x):\n    y = x[1:]\n    (x * x).sum().backward()\n    x.sum().item()\n    with tl.no_grad():\n        {write}\n" \
             "    return x * 1"
    compare(source, "x = tl.ones(3, 3, requires_grad=True); r = f(x).detach(), x")


@pytest.mark.parametrize("flat", ["x.reshape(2, -1)", "x.ravel()", "(x * 1).reshape(-1)", "x.T.reshape(-1)"])
def test_how_arrays_lie_in_memory_is_part_of_the_key(flat):
    layouts = f"[{', '.join(each(LAYOUTS))}]"
    compare(f"def f(x):\n    y = {flat}\n    y *= 3\n    return y",
            f"base = np.arange(48.0).reshape(4, 12); x = {layouts}[i % 4 + 4 * (i > 20)]; r = f(x), x", 40)


@pytest.mark.parametrize("made", ["np.ones((2, 3)).T", "np.asfortranarray(np.ones((3, 2)))", "np.ones((6, 4))[::2, ::2]",
                                  "np.broadcast_to(b, (3, 2))"])
def test_state_that_is_not_contiguous_is_read_as_it_is(made):
    compare(f"b = np.ones(2)\nw = tl.from_numpy({made})\ndef f(x):\n    return w.reshape(-1) * x",
            "b += 1; a = w.array if w.array.flags.writeable else b; a += 1; r = f(2.0)", 8)


# ---------------------------------------------------------------- numbers
NUMBERS = """(s * 1j).real | max(s, 1.0) | sum([s, s]) | abs(s) | s if type(s) is float else 0 | isinstance(s, float) |
divmod(s, 2)[0] | divmod(7, s)[1] | pow(s, 2) | round(s, 1) | int(s) | math.sqrt(s) | s // 1 | -s | float(f'{s:.2f}') |
complex(s, 1).real | np.float32(s) | np.sqrt(s) | np.add(s, 1) | np.power(s, 2) | tl.tensor(s) | s.is_integer() | hash(s) |
{s: 1.0}[s] | sorted([s, 0.0])[1] | copy.deepcopy(s) | math.hypot(s, 1) | np.where(s > 2, 1.0, 2.0) | cmath.sqrt(s).real |
fractions.Fraction(s).numerator | 1 < s < 4 | len(range(int(s))) | float(repr(s)) | np.mean([s, 1]) | not s | s.hex() > ''"""
COUNTS = """t & 3 | t | 8 | t ^ 5 | ~t | t << 1 | 1 << t | t >> 1 | pow(t, 2, 7) | divmod(t, 3)[1] | [10, 20, 30, 40, 50, 60, 70, 80][t] |
t.bit_length() | math.gcd(t, 6) | len([0] * t) | {1: 1, 2: 2}.get(t, 5) | t in (1, 2) | np.arange(9)[t] | 2 ** t | t ** -1 |
type(t) is int | np.int64(3) * t | t == 3 or t & 4 > 2 | (t < 4) == (t > 2) | np.int8(3) * t"""
IMPORTS = "import cmath, copy, fractions, math\n"


@pytest.mark.parametrize("number", ["float(2.5 + i)", "np.float64(2.5 + i)"])
@pytest.mark.parametrize("expression", each(NUMBERS))
def test_a_number_among_the_arguments(expression, number):
    compare(f"{IMPORTS}def f(x, s):\n    return x * ({expression})", f"r = f(tl.ones(3), {number})")


@pytest.mark.parametrize("expression", [part.replace(" or8", " | 8") for part in each(COUNTS.replace("t | 8", "t or8"))])
def test_a_number_that_calls_change(expression):
    source = f"{IMPORTS}class Model(nn.Module):\n    t = 0\nm = Model(); m.t = 1\n" \
             f"def f(x):\n    m.t += 1\n    t = m.t\n    return x * ({expression})"
    compare(source, "r = f(tl.ones(3)), m.t")


@pytest.mark.parametrize("kept", ["log.append(t)", "log.append([t, (t,)])", "log.append({t})", "log.append({t: t})",
                                  "heapq.heappush(log, t)"])
def test_a_number_that_is_kept_elsewhere_is_a_number(kept):
    source = f"import heapq\nclass Model(nn.Module):\n    t = 0\nm = Model(); m.t = 1\nlog = []\ndef f(x):\n    m.t += 1\n    t = m.t\n" \
             f"    {kept}\n    return x * t"
    compare(source, "r = f(tl.ones(3)), m.t, list(log)")


@pytest.mark.parametrize("value", ["None", "'off'", "0.5", "tl.ones(3)"])
def test_a_number_that_becomes_something_else(value):
    source = "class Model(nn.Module):\n    t = 0\nm = Model(); m.t = 1\ndef f(x):\n    if isinstance(m.t, int):\n        m.t += 1\n" \
             "    return x * 7 if m.t is None or isinstance(m.t, str) else x * m.t"
    compare(source, f"m.t = {value} if i in (6, 7) else 1 if i == 8 else m.t; r = f(tl.ones(3)), m.t", 12)


# ---------------------------------------------------------------- state that changes in quiet ways
QUIET = {  # the source, and what happens before the fifth call
    "a hook replaced": ("w = tl.ones(3, requires_grad=True)\nh = w.register_hook(lambda g: g * 2)\ndef f(x):\n    w.grad = None\n"
                        "    (w * x).sum().backward()\n    return w.grad * 1", "h.remove(); w.register_hook(lambda g: g * 5)"),
    "the order of a dict": ("d = {'a': 1.0, 'b': 2.0}\ndef f(x):\n    return x * list(d.values())[0]", "d['a'] = d.pop('a')"),
    "the order of parameters": ("m = nn.Module(); m.a, m.b = nn.Parameter(tl.ones(3)), nn.Parameter(tl.zeros(3))\ndef f(x):\n"
                                "    return x * list(m.parameters())[0].detach()", "p = m.a; del m.a; m.a = p"),
    "a key renamed": ("d = {'a': 1.0}\ndef f(x):\n    return x * d.get('a', 7.0)", "d['c'] = d.pop('a')"),
    "a slot that is set": ("class S:\n    __slots__ = ('a',)\ns = S()\ndef f(x, s=s):\n    return x * getattr(s, 'a', 3.0)\n"
                           "g = f\nf = lambda x, s=s: g(x, s)", "pass"),
    "a global that is defined": ("def f(x):\n    try:\n        return x * LATER\n    except NameError:\n        return x * 1",
                                 "globals()['LATER'] = 5.0"),
    "a builtin that is replaced": ("def f(x):\n    return x * max(1.0, 2.0)", "globals()['max'] = min"),
}


@pytest.mark.parametrize("name", QUIET)
def test_state_that_changes_in_a_quiet_way(name):
    source, change = QUIET[name]
    compare(source, f"if i == 4:\n    {change}\nr = f(tl.ones(3))", 8)


@pytest.mark.parametrize("change", ["P.sub.q = 7.0", "P.sub.w = tl.zeros(3)", "P.sub.w.add_(1)", "P.sub = P2", "P.slot.s = 5.0"])
def test_objects_in_an_object_argument(change):
    source = "class O: pass\nclass S:\n    __slots__ = ('s', 'late')\nP, P2 = O(), O()\nP.sub, P.slot = O(), S()\nP.sub.q, P2.q, P.slot.s = 2.0, 3.0, 1.0\n" \
             "P.sub.w = P2.w = tl.ones(3)\ndef f(x, p):\n    return x * p.sub.q * p.slot.s + p.sub.w"
    compare(source, f"if i == 4:\n    {change}\nr = f(tl.ones(3), P)", 8)


DECLARED = "class Ema:\n    def __init__(self): self.mean, self.by = tl.zeros(3), 0.5\n    def update(self, x):\n" \
           "        self.mean = self.mean * self.by + x\nema, settings = Ema(), {'scale': 2.0}\ndef helper(x):\n" \
           "    ema.update(x)\n    return ema.mean * settings['scale']\nf = lambda x: helper(x)\n" \
           "g = tl.compile(f, state=(ema, settings), strict=True)"


def test_objects_and_settings_that_only_helpers_know_can_be_declared():
    call = "ema.by = 0.5 + 0.25 * (i > 4)\nsettings['scale'] = 2.0 + (i > 7)\nr = {}(tl.ones(3)), ema.mean, ema.by"
    assert outcomes(DECLARED, call.format("f"), 12) == outcomes(DECLARED, call.format("g"), 12)


# ---------------------------------------------------------------- errors
FAILING = {
    "an inverse": ("s['n'] += 1\n    w.add_(1)\n    np.linalg.inv(x)\n    return x * 1", "np.eye(2) * (i != 4)"),
    "one that is caught": ("try:\n        return np.linalg.inv(x)\n    except np.linalg.LinAlgError:\n        return x * 7",
                           "np.eye(2) * (i < 4)"),
    "after random numbers": ("q = rng.random(2)\n    w.add_(1)\n    return np.linalg.cholesky(x) + q", "np.eye(2) * (i != 4)"),
    "an index": ("w.add_(1)\n    q = w[x]\n    w.mul_(2)\n    return q", "np.array([0 if i != 4 else 7])"),
    "an update before": ("opt.zero_grad(); (p * tl.from_numpy(x)).sum().backward(); opt.step()\n    return np.linalg.cholesky(x)",
                         "np.eye(2) * (1 if i != 4 else -1)"),
    "errors that numpy raises": ("try:\n        with np.errstate(divide='raise'):\n            return 1 / x\n    except "
                                 "FloatingPointError:\n        return x * 7", "np.array([1.0, float(i != 5)])"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_call_that_cannot_be_computed_is_as_the_function(name):
    body, argument = FAILING[name]
    source = "s, w, rng = {'n': 0}, tl.zeros(2), np.random.default_rng(0)\np = nn.Parameter(tl.ones(2, 2)); opt = optim.Adam([p])\n" \
             f"def f(x):\n    {body}"
    call = f"try:\n    q = f({argument})\nexcept Exception as e:\n    q = type(e)\nr = q, s['n'], w.tolist(), rng.bit_generator.state, " \
           "p, opt.state_dict()"
    compare(source, call, 9)


def test_what_a_stand_in_cannot_do_says_so_and_is_right_afterwards():
    compiled = tl.compile(lambda x, s: x * float(json.dumps(s)))
    compiled(tl.ones(2), 2.5)
    with pytest.raises(TypeError, match="JSON") as raised:
        compiled(tl.ones(2), 2.5)
    assert "give it float(x)" in raised.value.__notes__[0]
    assert compiled(tl.ones(2), 3.0).tolist() == [3.0, 3.0]


# ---------------------------------------------------------------- results
RESULTS = """w.grad[0] | w.grad.detach() | (x.clone(), x.clone()[0]) | (w.grad, w.grad.T) | w.grad | (w.grad, w.grad) | (l, l) | [l] | s | D(a=y) | L([y]) | P(y, 2) | collections.Counter(a=1) | (y, y[1:], y.T) |
np.split(y.array, 3) | np.linalg.slogdet(np.eye(2) * y.array[0]) | np.linalg.eigh(np.eye(2) * y.array[0]).eigenvalues | (x, x[1:]) |
np.linalg.slogdet(np.eye(2) * y.array[0]).logabsdet | y.array.astype('f2') | y.array.astype(str) | y.array.astype('>f4') |
y.array.astype(object) | np.array(['2020'], 'M8[Y]') + y.array.astype('m8[Y]') | np.ma.masked_array(y.array, [0, 1, 0]) * 2 |
collections.OrderedDict(a=y)"""


@pytest.mark.parametrize("result", each(RESULTS))
def test_results_are_what_they_are_in_eager_code(result):
    source = "import collections\nclass D(dict): pass\nclass L(list): pass\nP = collections.namedtuple('P', 'a b')\n" \
             "w, s = tl.ones(3, requires_grad=True), {'a': 1.0}\ndef f(x):\n    w.grad = None\n    (w * x).sum().backward()\n    y = x + 1\n    l = [y]\n" \
             f"    return {result}"
    call = "x = tl.tensor([1.0, 2.0, 3.0]); q = f(x)\nparts = list(q) if isinstance(q, (list, tuple)) else [q]\n" \
           "r = q, [a is b for a in [x, s, w.grad, *parts] for b in parts]"
    compare(source, call)


@pytest.mark.parametrize("made", ["np.ma.masked_array([1.0, 2.0], [0, 1])", "np.matrix([[1.0, 2.0], [3.0, 4.0]])",
                                  "np.array(['2020-01-01'], 'M8[D]')", "np.array([1, 2.5], object)", "np.arange(3.0).astype('>f8')",
                                  "np.rec.array([(1.0,)], dtype=[('a', 'f8')]).a", "np.array(3.0)", "np.zeros((0, 3))"])
def test_unusual_arrays(made):
    compare(f"kept = {made}\ndef f(x):\n    return x + x if x.dtype.kind != 'M' else x - kept", f"x = {made}; r = f(x), x")


@pytest.mark.parametrize("change", ["x.shape = 4, 1", "x += 1; x[()] = x * 2", "x.flat = 7", "x.real = 5", "x.setflags(write=False)"])
def test_arrays_that_are_changed_otherwise(change):
    compare(f"def f(x):\n    {change}\n    return x * 1", "x = np.arange(4.0); z = np.array(3.0); r = f(x), x, f(z) if i % 2 else 0, z", 9)
