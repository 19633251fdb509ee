"""Principal components by power iteration

components(X, k, iterations, rng)   X (N, D) -> the first k principal components, (k, D)
explained(X, directions)            X (N, D), (k, D) -> the share of the total variance along each direction, (k,)

X has one row a point. The components are the eigenvectors of the covariance matrix of its features with the largest
eigenvalues, the largest first: rows of length 1, whose signs do not matter. Find them one after another: start from a
random vector, drawn with rng, a numpy Generator; multiply it `iterations` times with the covariance matrix; take out
what was found (deflation) before the next. The data vary in at least k directions. They are centered, but features are
not divided by their standard deviations. directions are rows of length 1; the total variance is the sum of the
variances of all features. N may be less than D. numpy's own decompositions (eigh, svd and the like) are not allowed.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["Variance is measured from the mean: X - X.mean(axis=0) comes first.",
           "Multiplied with C = Xc.T @ Xc / N again and again, a vector turns to the largest eigenvalue's eigenvector.",
           "Divide the vector by its length in each iteration, or it overflows.",
           "The eigenvalue is v @ C @ v. C - eigenvalue * np.outer(v, v) has 0 in its place, and the others as before.",
           "The variance along v is the mean of (Xc @ v) ** 2."],
    pitfalls=["Not centered, the first component points to the mean of the data and not along their variance.",
              "Eigenvalues of 1000 to the power of 150 overflow: normalize in each iteration.",
              "The error shrinks by second / first eigenvalue each time: slow where the two are close. In practice one "
              "takes the SVD of the centered data, which does not square the condition number."],
    forbidden=("svd", "svdvals", "eig", "eigh"),
)


@drill.reference
def components(X, k, iterations, rng):
    """X: (N, D), k: how many, iterations: of each, rng: numpy Generator -> directions (k, D), rows of length 1"""
    centered = X - X.mean(axis=0)  # (N, D), a mean a feature
    covariance = centered.T @ centered / len(X)  # (D, D)
    found = []
    for _ in range(k):
        v = rng.standard_normal(X.shape[1])  # random, since a fixed vector may be orthogonal to what is sought
        for _ in range(iterations):
            v = covariance @ v  # each eigenvector's part grows by its eigenvalue
            v = v / np.sqrt(v @ v)  # only the direction matters, and the length would overflow
        covariance = covariance - (v @ covariance @ v) * np.outer(v, v)  # its eigenvalue becomes 0
        found.append(v)
    return np.array(found)


@drill.reference
def explained(X, directions):
    """X: (N, D), directions: (k, D), rows of length 1 -> shares of the total variance (k,)"""
    centered = X - X.mean(axis=0)
    scores = centered @ directions.T  # (N, k), each with mean 0
    return (scores ** 2).sum(axis=0) / (centered ** 2).sum()  # N or N - 1 cancels


rng = np.random.default_rng(0)
turned = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
cloud = rng.standard_normal((40, 3)) * [0.88, 0.36, 0.12] @ turned + [30.0, -20.0, 10.0]
wide = rng.standard_normal((6, 4)) * [9.0, 5.0, 2.5, 1.0] @ rng.standard_normal((4, 11))
cross = np.array([[3.0, -3.0], [-3.0, 3.0], [1.0, 1.0], [-1.0, -1.0]])


def signed(directions):
    """The rows with a sign that is fixed, so that they can be compared."""
    directions = np.asarray(directions)
    if directions.ndim != 2:
        return directions
    return directions * np.sign(directions @ np.arange(1.0, directions.shape[1] + 1))[:, None]


@drill.program(why="the points vary most along (1, -1), then along (1, 1): a row of length 1 each", rtol=1e-5)
def _(components):
    """components([[3, -3], [-3, 3], [1, 1], [-1, -1]], k=2) after 10 iterations, up to signs"""
    return signed(components(cross.copy(), 2, 10, np.random.default_rng(0)))


@drill.program(why="variance is that of the deviations from the mean: center each feature first", rtol=1e-5)
def _(components):
    """components(X, k=1) with X of shape (40, 3) and a mean far from 0, up to signs"""
    return signed(components(cloud.copy(), 1, 100, np.random.default_rng(1)))


@drill.program(why="the second component is orthogonal to the first: subtract eigenvalue * outer(v, v)", rtol=1e-5)
def _(components):
    """components(X, k=3) with X of shape (40, 3), up to signs"""
    return signed(components(cloud.copy(), 3, 100, np.random.default_rng(2)))


@drill.program(why="with fewer points than features there still are N - 1 components; the result is (k, D)", rtol=1e-5)
def _(components):
    """components(X, k=2) with X of shape (6, 11), up to signs"""
    return signed(components(wide.copy(), 2, 300, np.random.default_rng(3)))


@drill.program(why="numbers that grow a million times in each iteration overflow: normalize each time", rtol=1e-5)
def _(components):
    """components(1000 * X, k=2) with X of shape (40, 3) and 150 iterations, up to signs"""
    return signed(components(1000 * cloud, 2, 150, np.random.default_rng(4)))


drill.case(explained, cross, np.array([[0.5 ** 0.5, -(0.5 ** 0.5)], [0.5 ** 0.5, 0.5 ** 0.5]]),
           why="along (1, -1) the sum of squares is 36, along (1, 1) it is 4: 0.9 and 0.1")
drill.case(explained, cloud, turned[:2], why="a direction has the variance of the centered data's projections")
drill.case(explained, cloud, turned[2:], why="the total is the variance of all features, wherever the directions point")


def by_power_iteration(X, k, iterations, rng):
    """What follows after the data are prepared, for mistakes that are made before. rng=None starts from ones."""
    covariance, found = X.T @ X / len(X), []
    for _ in range(k):
        v = rng.standard_normal(X.shape[1]) if rng else np.ones(X.shape[1])
        for _ in range(iterations):
            v = covariance @ v
            v = v / np.linalg.norm(v)
        covariance = covariance - (v @ covariance @ v) * np.outer(v, v)
        found.append(v)
    return np.array(found)


@drill.wrong(components, "not centered", "the first direction points to the mean of the data; subtract X.mean(axis=0) "
             "first")
def _(X, k, iterations, rng):
    return by_power_iteration(X, k, iterations, rng)


@drill.wrong(components, "one mean for all features", "X.mean() is one number; each feature has its own: "
             "X.mean(axis=0)")
def _(X, k, iterations, rng):
    return by_power_iteration(X - X.mean(), k, iterations, rng)


@drill.wrong(components, "one mean for each point", "axis=1 is the mean of a point's features; each feature has its "
             "own mean: X.mean(axis=0)")
def _(X, k, iterations, rng):
    return by_power_iteration(X - X.mean(axis=1, keepdims=True), k, iterations, rng)


@drill.wrong(components, "features scaled", "divided by their standard deviations all features count the same, which "
             "is another question (the correlations)")
def _(X, k, iterations, rng):
    return by_power_iteration((X - X.mean(axis=0)) / X.std(axis=0), k, iterations, rng)


@drill.wrong(components, "no deflation", "from any start the iteration finds the first component again; subtract "
             "eigenvalue * outer(v, v)")
def _(X, k, iterations, rng):
    return np.concatenate([by_power_iteration(X - X.mean(axis=0), 1, iterations, rng) for _ in range(k)])


@drill.wrong(components, "deflation without the eigenvalue", "outer(v, v) alone takes 1 from the eigenvalue, whatever "
             "it is; multiply it with v @ C @ v")
def _(X, k, iterations, rng):
    centered, found = X - X.mean(axis=0), []
    covariance = centered.T @ centered / len(X)
    for _ in range(k):
        v = rng.standard_normal(X.shape[1])
        for _ in range(iterations):
            v = covariance @ v
            v = v / np.linalg.norm(v)
        covariance = covariance - np.outer(v, v)
        found.append(v)
    return np.array(found)


@drill.wrong(components, "normalized only at the end", "the length is multiplied by the eigenvalue in each iteration, "
             "and overflows; divide by it each time")
def _(X, k, iterations, rng):
    centered, found = X - X.mean(axis=0), []
    covariance = centered.T @ centered / len(X)
    for _ in range(k):
        v = rng.standard_normal(X.shape[1])
        for _ in range(iterations):
            v = covariance @ v
        v = v / np.linalg.norm(v)
        covariance = covariance - (v @ covariance @ v) * np.outer(v, v)
        found.append(v)
    return np.array(found)


@drill.wrong(components, "not of length 1", "a direction has length 1: divide by the length after the last iteration "
             "too")
def _(X, k, iterations, rng):
    directions = by_power_iteration(X - X.mean(axis=0), k, iterations, rng)
    return directions * (X @ directions.T).var(axis=0)[:, None]


@drill.wrong(components, "the components as columns", "a row of the result is a component: (k, D), as np.array of a "
             "list of vectors is")
def _(X, k, iterations, rng):
    return by_power_iteration(X - X.mean(axis=0), k, iterations, rng).T


@drill.wrong(components, "a fixed start", "a fixed vector such as (1, 1) may be orthogonal to the component, and then "
             "never turns to it; draw it with rng")
def _(X, k, iterations, rng):
    return by_power_iteration(X - X.mean(axis=0), k, iterations, None)


@drill.wrong(explained, "not centered", "around 0 the mean counts as variance; subtract X.mean(axis=0) first")
def _(X, directions):
    return ((X @ directions.T) ** 2).sum(axis=0) / (X ** 2).sum()


@drill.wrong(explained, "divided by what was found", "the shares are those of all variance, which is also in "
             "directions that are not given: divide by the variance of all features")
def _(X, directions):
    variances = (X @ directions.T).var(axis=0)
    return variances / variances.sum()


@drill.wrong(explained, "not divided by the total", "a share is divided by the variance of all features")
def _(X, directions):
    return (X @ directions.T).var(axis=0)


@drill.wrong(explained, "standard deviations", "shares are those of the variance: square")
def _(X, directions):
    return (X @ directions.T).std(axis=0) / X.std(axis=0).sum()


@drill.wrong(explained, "a sum up to each direction", "cumsum is asked for where one chooses k; here each direction "
             "has its own share")
def _(X, directions):
    return ((X @ directions.T).var(axis=0) / X.var(axis=0).sum()).cumsum()
