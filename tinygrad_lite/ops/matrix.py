"""What a matrix has: inverse, determinant, factors, singular values, norms; all of the last two dimensions."""

import numpy as np

from ..engine.dtypes import promote_float
from ..engine.return_types import named_results
from ..engine.tape import broadcast_to, primitive
from ..engine.values import holds, unbox
from .arguments import count_of
from .elementwise import abs, where
from .index import getitem, tril, triu
from .join import cat
from .reduce import amax, amin, sum, vector_norm
from .shape import movedim, squeeze, transpose, unsqueeze


# ---------------------------------------------------------------- determinant
def cofactors(x):
    """For each element of a matrix, the determinant of the matrix without its row and its column, times 1 or -1.

    The signs alternate as the colors of a chessboard. x (…, n, n) gives (…, n, n), which is the gradient of det(x);
    inv(x) is cofactors(x).mT / det(x).

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.cofactors(x)
    tensor([[ 4., -3.],
            [-2.,  1.]])
    """
    n = x.shape[-1]
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], int).reshape(n, n - 1)
    minors = getitem(x, (Ellipsis, others[:, None, :, None], others[:, None, :]))  # (…, n, n, n - 1, n - 1)
    i = np.arange(n)
    return det(minors) * (1 - 2 * ((i[:, None] + i) % 2)).astype(x.dtype)


def _det_rule(g, out, x):
    if holds(unbox(out) != 0):
        return (g * out)[..., None, None] * inv(x).mT
    return g[..., None, None] * cofactors(x)  # a singular matrix has no inverse, but its determinant has a gradient


def _slogabsdet(x):
    return np.linalg.slogdet(x)[1]


def _signdet(x):
    return np.linalg.slogdet(x)[0]


inv = primitive(np.linalg.inv, lambda g, out, x: -(out.mT @ g @ out.mT), promote=promote_float)
det = primitive(np.linalg.det, _det_rule, promote=promote_float)
_logabsdet = primitive(_slogabsdet, lambda g, out, x: g[..., None, None] * inv(x).mT, promote=promote_float,
                       name="slogdet")
_detsign = primitive(_signdet, None, name="slogdet", promote=promote_float)


@named_results("sign", "logabsdet")
def slogdet(x):
    """The pair (sign, log |det|) of matrices (…, n, n), right also where the determinant itself would be inf or 0.

    The parts are called sign and logabsdet; of a singular matrix they are 0 and -inf.

    >>> x = 1e-30 * tl.eye(2)
    >>> tl.slogdet(x)  # the determinant, 1e-60, is 0 in float32
    slogdet(
    sign=tensor(1.),
    logabsdet=tensor(-138.1551))
    """
    return _detsign(x), _logabsdet(x)


def logdet(x):
    """The logarithm of the determinant of matrices (…, n, n); NaN where that is negative, -inf where it is 0.

    >>> x = tl.tensor([[2.0, 0.0], [0.0, 3.0]])
    >>> tl.logdet(x)  # log(6)
    tensor(1.7918)
    """
    sign, size = slogdet(x)
    return where(sign < 0, np.nan, size)


def matrix_power(x, n):
    """A square matrix times itself, n factors x @ x @ …; n = 0 gives the identity, a negative n the inverse's power.

    >>> x = tl.tensor([[1, 1], [1, 0]])
    >>> tl.matrix_power(x, 10)  # Fibonacci numbers
    tensor([[89, 55],
            [55, 34]])
    """
    if n < 0:
        return matrix_power(inv(x), -n)
    if not n:
        return broadcast_to(x * 0 + np.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = matrix_power(x, n // 2) if n > 1 else None
    return x if half is None else half @ half @ x if n % 2 else half @ half


# ---------------------------------------------------------------- equations
def _solve(x, y):
    return np.linalg.solve(x, y)


_solve_matrices = primitive(_solve,
                            lambda g, out, x, y: -(solve(x.mT, g) @ out.mT),
                            lambda g, out, x, y: solve(x.mT, g), promote=promote_float)


def solve(x, y, *, left=True):
    """The solution z of the linear equations x @ z = y; left=False solves z @ x = y.

    x (…, n, n), and y a vector (n,), a batch of vectors (…, n) or matrices (…, n, k), with left=False (…, k, n); z has
    the shape of y. RuntimeError where x is singular. Faster and more exact than inv(x) @ y.

    >>> x = tl.tensor([[3.0, 1.0], [1.0, 2.0]])
    >>> tl.solve(x, tl.tensor([9.0, 8.0]))  # 3a + b = 9 and a + 2b = 8
    tensor([2., 3.])
    """
    if not left:
        return transpose(solve(x.mT, y.mT), -1, -2)
    if y.ndim == 1 or y.shape == x.shape[:-1]:
        return squeeze(_solve_matrices(x, unsqueeze(y, -1)), -1)
    return _solve_matrices(x, y)


def _substitute(x, y, upper):
    """z with x @ z = y, row by row, each from those before it."""
    n, lead = x.shape[-1], np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    done = np.zeros((*lead, 0, y.shape[-1]), y.dtype)
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = (y[..., i : i + 1, :] - x[..., i : i + 1, known] @ done) / x[..., i : i + 1, i : i + 1]
        done = np.concatenate([row, done] if upper else [done, row], -2)
    return done


def _triangular_rule(g, out, x, y, upper):
    return -(triu if upper else tril)(solve_triangular(x.mT, g, upper=not upper) @ out.mT)


_substituted = primitive(_substitute, _triangular_rule,
                         lambda g, out, x, y, upper: solve_triangular(x.mT, g, upper=not upper), promote=promote_float,
                         name="solve_triangular")


def solve_triangular(x, y, *, upper, left=True, unitriangular=False):
    """The solution z of x @ z = y where x is triangular; left=False solves z @ x = y.

    x (…, n, n) is an upper triangle where upper=True, else a lower one; what is on the other side of its diagonal is
    not read. y holds matrices (…, n, k), with left=False (…, k, n). unitriangular=True takes the diagonal of x for
    ones. A 0 on the diagonal gives inf or NaN.

    >>> x = tl.tensor([[2.0, 0.0], [1.0, 4.0]])
    >>> tl.solve_triangular(x, tl.tensor([[2.0], [9.0]]), upper=False)  # 2a = 2, then a + 4b = 9
    tensor([[1.],
            [2.]])
    """
    if y.ndim < 2:
        raise RuntimeError(f"solve_triangular: needs matrices on the right, not shape {y.shape}; use y.unsqueeze(-1)")
    if not left:
        return transpose(solve_triangular(x.mT, y.mT, upper=not upper, unitriangular=unitriangular), -1, -2)
    if x.ndim < 2 or not x.shape[-2] == x.shape[-1] == y.shape[-2]:
        raise RuntimeError(f"solve_triangular: matrices of shapes {x.shape} and {y.shape} do not make equations")
    if unitriangular:
        x = (triu(x, 1) if upper else tril(x, -1)) + np.eye(x.shape[-1], dtype=x.dtype)
    return _substituted(x, y, upper)


# ---------------------------------------------------------------- factors
def _cholesky(x):
    return np.linalg.cholesky(x)


def _cholesky_rule(g, out, x):
    """Murray (2016), equation 10, made symmetric."""
    back = inv(out)
    halved = tril(out.mT @ g) * (1 - 0.5 * np.eye(x.shape[-1], dtype=x.dtype))  # the diagonal counts half
    s = back.mT @ halved @ back
    return (s + s.mT) / 2


_lower = primitive(_cholesky, _cholesky_rule, promote=promote_float)


def cholesky(x, upper=False):
    """The lower triangular l with l @ l.mT = x, of symmetric positive definite matrices x (…, n, n).

    Only the lower triangle of x is read; upper=True reads the upper one, and gives the upper triangular l.mT.
    RuntimeError where x is not positive definite.

    >>> x = tl.tensor([[4.0, 2.0], [2.0, 5.0]])
    >>> tl.cholesky(x)
    tensor([[2., 0.],
            [1., 2.]])
    """
    return transpose(_lower(x.mT), -1, -2) if upper else _lower(x)


def _left(x):
    return np.linalg.svd(x, full_matrices=False)[0]


def _singular(x):
    """The singular values of matrices, largest first: how much x stretches space along each of its main directions.

    x (…, m, n) gives (…, min(m, n)).

    >>> x = tl.tensor([[0.0, 2.0], [3.0, 0.0]])
    >>> tl.svdvals(x)
    tensor([3., 2.])
    """
    return np.linalg.svd(x, full_matrices=False)[1]


def _right(x):
    return np.linalg.svd(x, full_matrices=False)[2]


def _left_rule(g, out, x):  # Giles (2008), as the next one
    u, s, vh = svd(x)
    inner = u.mT @ g
    apart = s[..., None, :] ** 2 - s[..., :, None] ** 2 + np.eye(s.shape[-1], dtype=s.dtype)
    turned = (inner - inner.mT) / apart
    return (u @ (turned * s[..., None, :]) + (g - u @ inner) / s[..., None, :]) @ vh


def _right_rule(g, out, x):
    u, s, vh = svd(x)
    inner = vh @ g.mT
    apart = s[..., None, :] ** 2 - s[..., :, None] ** 2 + np.eye(s.shape[-1], dtype=s.dtype)
    turned = (inner - inner.mT) / apart
    return u @ (s[..., :, None] * turned @ vh + (g - inner.mT @ vh) / s[..., :, None])


_left_vectors = primitive(_left, _left_rule, promote=promote_float, name="svd")
_right_vectors = primitive(_right, _right_rule, promote=promote_float, name="svd")


def _singular_rule(g, out, x):
    u, _, vh = svd(x)
    return u * g[..., None, :] @ vh


svdvals = primitive(_singular, _singular_rule, promote=promote_float, name="svdvals")


@named_results("U", "S", "Vh")
def svd(x, full_matrices=False):
    """The triple (u, s, vh) with x = u * s @ vh: singular vectors, and their values in falling order.

    x (…, m, n) gives (…, m, k), (…, k) and (…, k, n), where k = min(m, n). Vectors have gradients where values differ.
    full_matrices=True is a NotImplementedError here: it is for tl.linalg.svd.
    """
    if full_matrices:
        raise NotImplementedError("svd: full_matrices=False only, the vectors that belong to singular values")
    return _left_vectors(x), svdvals(x), _right_vectors(x)


def _eigenvalues(x, UPLO):
    return np.linalg.eigvalsh(x, UPLO)


def _eigenvectors(x, UPLO):
    return np.linalg.eigh(x, UPLO)[1]


def _eigenvectors_rule(g, out, x, UPLO):
    values, v = eigh(x, UPLO)
    other = 1 - np.eye(values.shape[-1], dtype=values.dtype)
    apart = values[..., None, :] - values[..., :, None] + (1 - other)
    turned = v @ (v.mT @ g * other / apart) @ v.mT
    return (turned + turned.mT) / 2


def _eigenvalues_rule(g, out, x, UPLO):
    _, v = eigh(x, UPLO)
    return v * g[..., None, :] @ v.mT


def _first_to_float(x, *rest):
    return [*promote_float(x), *rest]


_vectors = primitive(_eigenvectors, _eigenvectors_rule, promote=_first_to_float, name="eigh")
_values = primitive(_eigenvalues, _eigenvalues_rule, promote=_first_to_float, name="eigvalsh")


def eigvalsh(x, UPLO="L"):
    """The eigenvalues of symmetric matrices (…, n, n), smallest first: (…, n).

    Only the lower triangle is read, with UPLO="U" the upper one.

    >>> x = tl.tensor([[2.0, 1.0], [1.0, 2.0]])
    >>> tl.eigvalsh(x)
    tensor([1., 3.])
    """
    return _values(x, UPLO)


@named_results("eigenvalues", "eigenvectors")
def eigh(x, UPLO="L"):
    """The pair (w, v) with x = v * w @ v.mT of symmetric matrices: eigenvalues, smallest first, and vectors as columns.

    x (…, n, n) gives (…, n) and (…, n, n), called eigenvalues and eigenvectors. Only the lower triangle is read, with
    UPLO="U" the upper one. Vectors have gradients where values differ; their signs are arbitrary.

    >>> x = tl.tensor([[2.0, 1.0], [1.0, 2.0]])
    >>> w, v = tl.eigh(x)
    >>> w
    tensor([1., 3.])
    >>> tl.allclose(x @ v, w * v, atol=1e-5)
    True
    """
    return _values(x, UPLO), _vectors(x, UPLO)


def _orthogonal(x):
    return np.linalg.qr(x)[0]


def _upper(x):
    return np.linalg.qr(x)[1]


def _orthogonal_rule(g, out, x):  # Walter and Lehmann (2018), as the next one
    q, r = qr(x)
    m = g.mT @ q
    mirrored = tril(m, -1) + tril(m).mT  # the lower triangle, and above the diagonal its mirror image
    return solve_triangular(r, (g - q @ mirrored).mT, upper=True).mT


def _upper_rule(g, out, x):
    q, r = qr(x)
    m = r @ g.mT
    mirrored = tril(m, -1) + tril(m).mT
    return solve_triangular(r, (q @ mirrored).mT, upper=True).mT


_q = primitive(_orthogonal, _orthogonal_rule, promote=promote_float, name="qr")
_r = primitive(_upper, _upper_rule, promote=promote_float, name="qr")


@named_results("Q", "R")
def qr(x, mode="reduced"):
    """The pair (q, r) with x = q @ r: q has orthonormal columns, r is upper triangular.

    x (…, m, n) gives (…, m, k) and (…, k, n), where k = min(m, n); they are called Q and R. Gradients need the first k
    columns of x to be independent. Another mode than "reduced" is a NotImplementedError.

    >>> x = tl.tensor([[3.0, 1.0], [4.0, 2.0], [0.0, 5.0]])
    >>> q, r = tl.qr(x)
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    >>> tl.allclose(q @ r, x, atol=1e-5)
    True
    """
    if mode != "reduced":
        raise NotImplementedError(f"qr: mode is 'reduced' only, not {mode!r}")
    m, n = x.shape[-2:]
    if m >= n:
        return _q(x), _r(x)
    q, r = qr(x[..., :m])
    return q, cat([r, q.mT @ x[..., m:]], -1)


def _pinv(x, rtol, atol, hermitian):
    if 0 in x.shape:
        return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    default = max(x.shape[-2:]) * np.finfo(x.dtype).eps if atol is None else 0.0
    least = np.asarray(default if rtol is None else rtol)
    if atol is not None:
        largest = np.linalg.norm(x, 2, (-2, -1))
        least = np.maximum(least, np.asarray(atol) / np.where(largest > 0, largest, 1))
    return np.linalg.pinv(x, least, hermitian)


def _pinv_rule(g, out, x, rtol, atol, hermitian):  # Golub and Pereyra (1973)
    rows, columns = (np.eye(n, dtype=x.dtype) for n in x.shape[-2:])
    return (rows - x @ out) @ g.mT @ out @ out.mT + out.mT @ out @ g.mT @ (columns - out @ x) - out.mT @ g @ out.mT


_pseudo_inverse = primitive(_pinv, _pinv_rule, promote=_first_to_float, name="pinv")


def pinv(x, rtol=None, hermitian=False, *, atol=None):
    """The pseudo-inverse of Moore and Penrose: pinv(x) @ y is the least-squares solution z of x @ z = y.

    x (…, m, n) gives (…, n, m). Singular values up to atol, or rtol times the largest (max(m, n) * eps unless one of
    both is given), count as 0. hermitian=True: x is symmetric, and its lower triangle is read. Gradients are right
    where the rank does not change.

    >>> x = tl.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> z = tl.pinv(x) @ tl.tensor([1.0, 3.0, 5.0])
    >>> z.round(decimals=3)  # the line 1 + 2t goes through (0, 1), (1, 3) and (2, 5)
    tensor([1., 2.])
    """
    return _pseudo_inverse(x, unbox(rtol), unbox(atol), hermitian)


# ---------------------------------------------------------------- norms
SINGULAR = {"nuc": sum, 2: amax, -2: amin}


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False):
    """A norm of matrices: "fro" (the default) is the root of the sum of squares, "nuc" the sum of the singular values.

    ord=2 is the largest singular value and -2 the smallest; 1 and -1 are the largest and smallest column sum of |x|,
    inf and -inf those of the rows. `dim` says which two dimensions rows and columns are. ValueError for another ord.

    >>> x = tl.tensor([[3.0, 0.0], [0.0, -4.0]])
    >>> tl.matrix_norm(x)  # sqrt(9 + 16)
    tensor(5.)
    >>> tl.matrix_norm(x, ord="nuc")
    tensor(7.)
    """
    rows, columns = dim
    if ord == "fro":
        return vector_norm(x, 2, tuple(dim), keepdim)
    if not count_of(x, dim):
        return sum(x, dim, keepdim)
    if ord in SINGULAR:
        out = SINGULAR[ord](svdvals(movedim(x, (rows, columns), (-2, -1))), -1)
        return unsqueeze(out, tuple(d % x.ndim for d in dim)) if keepdim else out
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError(f"matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}")
    first, second = (rows, columns) if ord in (1, -1) else (columns, rows)
    out = (amax if ord > 0 else amin)(sum(abs(x), first, True), second, True)
    return out if keepdim else squeeze(out, (rows, columns))


def norm(x, p=2, dim=None, keepdim=False):
    """The `vector_norm` of order p over all elements, or along one dimension or several; p="fro" is 2.

    p="nuc" is the `matrix_norm` of that name.

    >>> x = tl.tensor([[3.0, 4.0], [6.0, 8.0]])
    >>> tl.norm(x, dim=1)  # the length of each row
    tensor([ 5., 10.])
    """
    if p == "nuc":
        return matrix_norm(x, p, (-2, -1) if dim is None else dim, keepdim)
    return vector_norm(x, 2 if p == "fro" else p, dim, keepdim)
