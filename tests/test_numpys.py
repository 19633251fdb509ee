"""numpy's own functions of Tensors: numpy's value, a right derivative, or an error that names the function."""

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import func

R = np.random.default_rng(0)
M, N, S, P, C = (R.standard_normal(s) for s in ((2, 3), (3, 2), (3, 3), (3,), (2, 3, 4)))
SPD, U = S @ S.T + 3 * np.eye(3), np.abs(M) + 0.5



def beside(name):
    return lambda x: getattr(np, name)(x, M)


def along(name):
    return lambda x: getattr(np, name)(x, axis=1)


def joined(name):
    return lambda x: getattr(np, name)([x, M])


CALLS = {  # as programs write them: a function of one array, and the array
    **{name: (getattr(np, name), U / 3) for name in (
        "absolute arccos arcsin arctan arcsinh arctanh cbrt ceil conjugate cos cosh deg2rad degrees exp exp2 expm1 fabs floor log log10 log1p "
        "log2 negative positive rad2deg radians reciprocal rint sign sin sinh sqrt square tan tanh trunc sinc fix real imag angle nan_to_num").split()},
    "arccosh": (np.arccosh, U + 1), **{name: (beside(name), U) for name in (
        "add arctan2 divide fmax fmin hypot logaddexp logaddexp2 maximum minimum multiply subtract true_divide copysign").split()},
    "power": (lambda x: np.power(x, U), U), "float_power": (lambda x: np.float_power(x, 3), U), "mod": (lambda x: np.mod(x, 0.7), U), "fmod": (lambda x: np.fmod(x, 0.7), U),
    "where": (lambda x: np.where(x > 0, x, x * x), M), "clip": (lambda x: np.clip(x, -0.5, 0.5), M), "select": (lambda x: np.select([x > 1, x > 0], [x, x**2], 3.0), M),
    **{name: (getattr(np, name), M) for name in "sum mean prod max min amax amin std var ptp median average cumsum cumprod ravel transpose squeeze copy fliplr flipud sort".split()},
    **{f"{name} of an axis": (along(name), M) for name in "sum mean prod max min std var ptp median cumsum cumprod sort average diff".split()},
    "std with ddof": (lambda x: np.std(x, 0, ddof=1, keepdims=True), M), "var of two axes": (lambda x: np.var(x, (0, 2)), C), "prod of two axes": (lambda x: np.prod(x, (0, -1), keepdims=True), C),
    "sum with keepdims": (lambda x: np.sum(x, axis=(0, 1), keepdims=True), M), "cumsum of all": (np.cumsum, C), "sort of all": (lambda x: np.sort(x, axis=None), M), "add.reduce": (np.add.reduce, M),
    "maximum.reduce": (lambda x: np.maximum.reduce(x, axis=1), M), "reshape": (lambda x: np.reshape(x, (3, 2)), M), "expand_dims": (lambda x: np.expand_dims(x, 1), M), "moveaxis": (lambda x: np.moveaxis(x, 0, 2), C),
    "rollaxis": (lambda x: np.rollaxis(x, 2, 1), C), "swapaxes": (lambda x: np.swapaxes(x, 0, 2), C), "transpose of axes": (lambda x: np.transpose(x, (1, 2, 0)), C), "roll": (lambda x: np.roll(x, 1, 1), M), "roll of all": (lambda x: np.roll(x, 2), M),
    "flip": (lambda x: np.flip(x, 1), M), "flip of all": (np.flip, M), "rot90": (np.rot90, M), "tile": (lambda x: np.tile(x, (2, 1, 2)), M), "repeat": (lambda x: np.repeat(x, 2), M), "repeat of an axis": (lambda x: np.repeat(x, [1, 2], axis=0), M),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 3)), P), "concatenate": (lambda x: np.concatenate([x, M * x], 1), M), "concatenate of all": (lambda x: np.concatenate((x, P), axis=None), M), "append": (lambda x: np.append(x, P), M),
    **{name: (joined(name), M) for name in "stack vstack hstack dstack column_stack".split()}, "stack of an axis": (lambda x: np.stack((x, 2 * x), axis=-1), M),
    "split": (lambda x: np.split(x, 3, axis=1)[1], M), "split at": (lambda x: np.split(x, [1], 1)[1], M), "array_split": (lambda x: np.array_split(x, 2, 1)[0], M), "hsplit": (lambda x: np.hsplit(x, 3)[0], M), "vsplit": (lambda x: np.vsplit(x, 2)[1], M),
    **{name: (getattr(np, name), P) for name in "atleast_1d atleast_2d atleast_3d diag".split()}, "diag of a matrix": (lambda x: np.diag(x, 1), M), "diagonal": (lambda x: np.diagonal(x, 1, 1, 2), C), "trace": (np.trace, S), "trace of axes": (lambda x: np.trace(x, 0, 1, 2), C),
    "tril": (np.tril, S), "triu": (lambda x: np.triu(x, 1), S), "pad": (lambda x: np.pad(x, ((1, 0), (0, 2))), M), "pad edge": (lambda x: np.pad(x, 1, mode="edge"), M), "pad constant": (lambda x: np.pad(x, 1, constant_values=2.0), M),
    "take": (lambda x: np.take(x, [0, 2, 2]), M), "take of an axis": (lambda x: np.take(x, [0, 2, 2], axis=1), M), "take_along_axis": (lambda x: np.take_along_axis(x, np.array([[0], [2]]), 1), M), "diff": (np.diff, M), "gradient": (lambda x: np.gradient(x, 0.5, axis=1), M),
    "meshgrid": (lambda x: np.meshgrid(x, P)[0] * np.meshgrid(P, x)[1].T, P), "linspace": (lambda x: np.linspace(x, 2 * x, 4), np.array(1.5)), "average with weights": (lambda x: np.average(x, axis=1, weights=P), M),
    "dot": (lambda x: np.dot(x, N), M), "dot of vectors": (lambda x: np.dot(x, P), P), "dot of a vector": (lambda x: np.dot(x, P), C[..., :3]), "dot of more": (lambda x: np.dot(x, C[0].T), C), "dot from a list": (lambda x: np.dot([1.0, 2.0], x), M), "dot of a number": (lambda x: np.dot(x, 2.0), M),
    "inner": (lambda x: np.inner(x, M), M), "outer": (lambda x: np.outer(x, P), M), "vdot": (lambda x: np.vdot(x, M), M), "kron": (lambda x: np.kron(x, S), M), "cross": (lambda x: np.cross(x, P), M), "tensordot": (lambda x: np.tensordot(x, N, 1), M), "tensordot of axes": (lambda x: np.tensordot(x, C, [[0, 1], [0, 1]]), M),
    "einsum": (lambda x: np.einsum("ij,jk->ik", x, N), M), "einsum of a diagonal": (lambda x: np.einsum("ii->i", x), S), "matmul": (lambda x: np.matmul(x, N), M), "matmul from the left": (lambda x: N @ x, M),
    "inv": (np.linalg.inv, S), "det": (np.linalg.det, S), "slogdet": (lambda x: np.linalg.slogdet(x)[1], S), "solve": (lambda x: np.linalg.solve(x, P), S), "solve on the right": (lambda x: np.linalg.solve(S, x), N), "cholesky": (lambda x: np.linalg.cholesky(x @ x.T + 3 * np.eye(3)), S),
    "eigh": (lambda x: np.linalg.eigh(x + x.T)[0], S), "eigh vectors": (lambda x: np.abs(np.linalg.eigh(x + x.T)[1]), S), "eigvalsh": (lambda x: np.linalg.eigvalsh(x + x.T), S), "svd": (lambda x: np.linalg.svd(x, compute_uv=False), M), "svd vectors": (lambda x: np.abs(np.linalg.svd(x, full_matrices=False)[2]), M),
    "qr": (lambda x: np.linalg.qr(x)[1], N), "qr of a wide matrix": (lambda x: np.linalg.qr(x)[1], M), "pinv": (np.linalg.pinv, M), "norm": (np.linalg.norm, M), "norm of rows": (lambda x: np.linalg.norm(x, axis=1), M), "norm 1": (lambda x: np.linalg.norm(x, 1), M), "nuclear norm": (lambda x: np.linalg.norm(x, "nuc"), M),
    "matrix_power": (lambda x: np.linalg.matrix_power(x, 3), S), "rfft": (lambda x: np.abs(np.fft.rfft(x, axis=0)), S), "rfft cut off": (lambda x: np.real(np.fft.rfft(x, 3)) + np.imag(np.fft.rfft(x, 5))[..., :2], C), "irfft": (lambda x: np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(P)), M), "irfft of a size": (lambda x: np.fft.irfft(np.fft.rfft(x), 5, norm="ortho"), M),
    "rfft quotient": (lambda x: np.fft.irfft(1.0 / (np.fft.rfft(x) + 5.0) - np.conjugate(np.fft.rfft(x)), 3), M), "full_like": (lambda x: np.full_like(x, x[0, 0]), M), "nan_to_num by place": (lambda x: np.nan_to_num(x, True, 2.0, 7.0), M), "sum by place": (lambda x: np.sum(x, 0, float), M), "add.reduce of all": (lambda x: np.add.reduce(x, None), M),
    "median of an even count": (np.median, P[:2]), "triu by name": (lambda x: np.triu(x, k=1), S), "tile by name": (lambda x: np.tile(x, reps=2), M), "einsum of a list": (lambda x: np.einsum("ij,j", x, [1.0, 2.0, 3.0], optimize=True), M),
    "tensordot of two axes": (lambda x: np.tensordot(x, M, axes=(1, 1)), M), "dot from a number": (lambda x: np.dot(2.0, x), M), "stack with a number": (lambda x: np.stack((x[0, 0], 1.0)), M), "append a number": (lambda x: np.append(x, 1.0), M),
    "linspace of vectors": (lambda x: np.linspace(x, 2 * x, 3), P), "average by a list": (lambda x: np.average(x, 1, [1.0, 2.0, 3.0]), M), "sinc at 0": (np.sinc, np.array([0.0, 1e-4, 0.2499, 0.2501])),
    "a method of an array": (lambda x: (P * x).sum() * P.dot(P), M), "heaviside": (lambda x: np.heaviside(x, 0.5) * x, M)}


@pytest.mark.parametrize("name", CALLS)
def test_the_value_is_numpys_and_the_derivatives_are_right(name):
    call, x = CALLS[name]
    found = call(tl.tensor(x, requires_grad=True))
    assert isinstance(found, tl.Tensor) and found.dtype == np.float64
    np.testing.assert_allclose(found.detach(), call(x), rtol=1e-10, atol=1e-12)
    t = tl.tensor(x, requires_grad=True)
    assert tl.autograd.gradcheck(call, t)
    if name not in ("ceil", "floor", "trunc", "rint", "fix", "sign", "angle", "imag"):
        assert found.requires_grad and tl.autograd.gradgradcheck(call, t)
    np.testing.assert_allclose(func.vmap(call)(np.stack([x, x])), np.stack([call(x)] * 2), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("call", [
    lambda x: np.interp(x, [0, 1], [0, 1]), lambda x: np.convolve(x, x), np.unwrap, np.frexp, np.i0, np.fft.fft, lambda x: np.nanpercentile(x, 5), lambda x: np.add.reduceat(x, [0]),
    lambda x: np.linalg.lstsq(np.ones((3, 2)), x), lambda x: np.insert(x, 0, 1.0), np.modf, lambda x: np.add(x, 1, where=x > 0), lambda x: np.apply_along_axis(np.sum, 0, x)])
def test_what_has_no_derivative_names_itself(call):
    with pytest.raises(TypeError, match=r"np\.\w+(\.\w+)? has no derivative here|would lose"):
        func.grad(lambda x: np.sum(call(x)))(P)
    with pytest.raises(TypeError, match=r"np\.\w+(\.\w+)? has no derivative here|would lose"):
        call(tl.tensor(P, requires_grad=True))


def test_what_changes_no_number_needs_no_derivative():
    x = tl.tensor(P, requires_grad=True)
    assert np.shape(x) == (3,) and np.argsort(x).tolist() == np.argsort(P).tolist() and np.zeros_like(x).tolist() == [0, 0, 0]
    assert np.allclose(x, P) and np.isclose(x, P).all() and np.searchsorted(np.array([0.0, 1.0]), x).shape == (3,) and np.array_equal(x, P)
    assert np.isnan(x).sum() == 0 and np.sign(x).shape == (3,) and (np.greater(x, 0) | np.less(x, 0)).all()


def test_nothing_is_written_into_a_tensor_unnoticed():
    x = tl.tensor(P)
    for call in (lambda: np.add(P, 1, out=x), lambda: np.sum(M, 0, out=x), lambda: np.copyto(x, 1.0), lambda: np.put(x, 0, 1.0)):
        with pytest.raises(TypeError, match="unnoticed|out="):
            call()
    assert np.array_equal(x.array, P)


def test_complex_numbers_are_pairs():
    z = np.fft.rfft(tl.tensor(P, requires_grad=True))
    np.testing.assert_allclose(np.asarray(np.fft.rfft(tl.tensor(P))), np.fft.rfft(P))
    for call in (lambda z: z * z - 2 * z + 1j, lambda z: 1 / z, lambda z: -z / (z + 3), lambda z: np.exp(z), lambda z: z.conj() * (1 + 2j), lambda z: z[:1], lambda z: np.sum(z)):
        theirs, mine = call(np.fft.rfft(P)), call(z)
        np.testing.assert_allclose([mine.real.detach(), mine.imag.detach()], [theirs.real, theirs.imag], rtol=1e-12)
    np.testing.assert_allclose(np.angle(z).detach(), np.angle(np.fft.rfft(P)))
    with pytest.raises(TypeError, match="np.log: is not computed of complex"):
        np.log(z)
    with pytest.raises(ValueError, match="norm is 'backward'"):
        np.fft.rfft(tl.tensor(P), norm="half")
