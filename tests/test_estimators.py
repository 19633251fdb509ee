"""K-means, logistic regression and MLPs: their mathematics, and scikit-learn's conventions."""

import itertools

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.estimators import (
    KMeans,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    kmeans,
    logistic_regression,
)

R = np.random.default_rng(0)
BLOBS = np.concatenate([R.standard_normal((40, 2)) * 0.3 + c for c in ([0, 0], [4, 0], [0, 4])])
X, y = tl.data.load_breast_cancer()
X = (X - X.mean(0)) / X.std(0)
IRIS_LIKE = np.concatenate([R.standard_normal((30, 3)) + c for c in ([0, 0, 0], [2, 0, 1], [0, 2, -1])])
THREE = np.repeat(["a", "b", "c"], 30)


# ---------------------------------------------------------------- k-means
def test_blobs_are_found_and_predicted():
    labels, centroids = kmeans(BLOBS, 3, random_state=0)
    assert len(set(labels[:40])) == len(set(labels[40:80])) == len(set(labels[80:])) == 1 and len(set(labels)) == 3
    for k in range(3):
        np.testing.assert_allclose(centroids[k], BLOBS[labels == k].mean(0), atol=1e-12)
    model = KMeans(3, random_state=0).fit(BLOBS)
    assert (model.predict(BLOBS) == model.labels_).all()
    distances = np.linalg.norm(BLOBS[:, None] - model.cluster_centers_, axis=-1)
    np.testing.assert_allclose(model.transform(BLOBS), distances, atol=1e-7)
    assert np.isclose(model.inertia_, (distances.min(1) ** 2).sum()) and np.isclose(model.score(BLOBS), -model.inertia_)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("k", [2, 5, 20])
def test_inertia_never_increases(init, k):
    points = R.standard_normal((300, 4))
    for seed in range(5):
        inertias = KMeans(k, init=init, random_state=seed, tol=0).fit(points).inertias_
        assert all(b <= a + 1e-9 for a, b in itertools.pairwise(inertias))


def test_the_extremes_of_k():
    points = R.standard_normal((6, 2))
    one = KMeans(1).fit(points)
    np.testing.assert_allclose(one.cluster_centers_[0], points.mean(0))
    assert KMeans(6, random_state=0).fit(points).inertia_ < 1e-20
    twice = np.repeat(points[:2], 3, 0)
    model = KMeans(4, random_state=0).fit(twice)  # more clusters than distinct points
    assert model.inertia_ < 1e-20 and np.isfinite(model.cluster_centers_).all()
    with pytest.raises(ValueError, match="n_samples=6 should be >= n_clusters=7"):
        KMeans(7).fit(points)


def test_an_empty_cluster_is_placed_anew():
    start = np.array([[0.0, 0.0], [4.0, 0.0], [100.0, 100.0]])  # nothing is near the last
    model = KMeans(3, init=start).fit(BLOBS)
    assert len(set(model.labels_)) == 3 and model.inertia_ < 60


def test_points_far_from_zero_do_not_cancel():
    far = BLOBS + 1e8
    assert (KMeans(3, random_state=0).fit(far).labels_ == KMeans(3, random_state=0).fit(BLOBS).labels_).all()


# ---------------------------------------------------------------- logistic regression
def objective(model, X, y, C=1.0, l1=False, weight=None):
    logits = X @ model.coef_.T + model.intercept_
    signs = np.where(y == model.classes_[1], 1, -1)
    loss = np.logaddexp(0, -signs * logits[:, 0]) * (1 if weight is None else weight)
    penalty = np.abs(model.coef_).sum() if l1 else 0.5 * (model.coef_**2).sum()
    return C * loss.sum() + penalty


@pytest.mark.parametrize("settings", [{}, {"C": 0.01}, {"penalty": "l1", "C": 0.1}, {"class_weight": "balanced"}, {"solver": "gd"}])
def test_the_minimum_is_one(settings):
    model = LogisticRegression(**settings).fit(X, y)
    weight = len(y) / (2 * np.bincount(y))[y] if "class_weight" in settings else None
    found = objective(model, X, y, settings.get("C", 1.0), "penalty" in settings, weight)
    assert model.converged_ and np.isclose(model.loss_ + ("penalty" in settings) * np.abs(model.coef_).sum(), found)
    for _ in range(30):  # no way is down
        other = LogisticRegression(**settings).fit(X[:5], np.array([0, 1, 0, 1, 1]))
        other.coef_ = model.coef_ + 1e-3 * R.standard_normal(model.coef_.shape)
        other.intercept_ = model.intercept_ + 1e-3 * R.standard_normal(1)
        assert objective(other, X, y, settings.get("C", 1.0), "penalty" in settings, weight) > found


def test_l1_leaves_few_coefficients():
    assert (LogisticRegression("l1", C=0.05).fit(X, y).coef_ != 0).sum() < 10


def test_multinomial_probabilities_and_scores():
    model = LogisticRegression().fit(IRIS_LIKE, THREE)
    p = model.predict_proba(IRIS_LIKE)
    assert model.coef_.shape == (3, 3) and np.allclose(p.sum(1), 1) and model.score(IRIS_LIKE, THREE) > 0.8
    assert set(model.predict(IRIS_LIKE)) == {"a", "b", "c"} and model.decision_function(IRIS_LIKE).shape == (90, 3)
    assert np.allclose(p.mean(0), 1 / 3, atol=1e-5)  # the intercepts' gradient is 0


def test_gradient_descent_by_hand():
    w, b = logistic_regression(X, y, lr=0.5, n_iter=3000, l2=0.01)
    p = 1 / (1 + np.exp(-(X @ w + b)))
    assert np.abs(X.T @ (p - y) / len(y) + 2 * 0.01 * w).max() < 1e-6
    model = LogisticRegression(C=1 / (2 * 0.01 * len(y))).fit(X, y)
    np.testing.assert_allclose(w, model.coef_[0], atol=1e-4)


# ---------------------------------------------------------------- multi-layer perceptrons
def test_a_classifier_learns_and_repeats():
    settings = {"hidden_layer_sizes": (16,), "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
    a, b = (MLPClassifier(**settings).fit(X, y) for _ in range(2))
    assert a.score(X, y) > 0.97 and a.loss_curve_ == b.loss_curve_ and a.loss_curve_[-1] < a.loss_curve_[0] / 3
    assert a.predict_proba(X).shape == (569, 2)


def test_early_stopping_keeps_the_best():
    model = MLPClassifier((8,), early_stopping=True, n_iter_no_change=3, learning_rate_init=0.05, random_state=1).fit(X, y)
    assert model.n_iter_ < 200 and len(model.validation_scores_) == model.n_iter_ and model.score(X, y) > 0.93


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_learns(outputs):
    x = np.linspace(-2, 2, 200)[:, None]
    target = np.concatenate([np.sin(2 * x), x**2], 1)[:, :outputs]
    target = target[:, 0] if outputs == 1 else target
    model = MLPRegressor((32,), "tanh", learning_rate_init=0.02, max_iter=300, random_state=0).fit(x, target)
    assert model.score(x, target) > 0.98 and model.predict(x).shape == target.shape


# ---------------------------------------------------------------- conventions
ALL = [KMeans(2), LogisticRegression(), MLPClassifier((4,), max_iter=2), MLPRegressor((4,), max_iter=2)]


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_conventions(model):
    fresh = type(model)(**model.get_params())
    with pytest.raises(ValueError, match="not fitted"):
        fresh.predict(X)
    assert fresh.fit(X, y) is fresh and fresh.n_features_in_ == 30
    assert not [name for name in vars(fresh) if name.endswith("_") and name in fresh.get_params()]
    name = next(iter(fresh.get_params()))
    assert fresh.set_params(**{name: 3}) is fresh and fresh.get_params()[name] == 3 and "3" in repr(fresh)
    for wrong, message in ((X[0], "2D array"), (np.full((4, 30), np.nan), "NaN"), (X[:, :3], "3 features"),
                           (np.array([["a"]]), "numbers")):
        with pytest.raises(ValueError, match=message):
            fresh.predict(wrong)
    with pytest.raises(ValueError, match="no parameter 'depth'"):
        fresh.set_params(depth=1)
    if not isinstance(model, KMeans):
        with pytest.raises(ValueError, match="inconsistent numbers"):
            fresh.fit(X, y[:3])


WRONG = [
    (lambda: KMeans(2, init="best").fit(BLOBS), "init is"), (lambda: KMeans(0).fit(BLOBS), "n_clusters"),
    (lambda: KMeans(2, init=np.ones((3, 2))).fit(BLOBS), "init is of shape"), (lambda: KMeans(1).fit(np.ones((0, 2))), "no samples"),
    (lambda: LogisticRegression("l3").fit(X, y), "penalty"), (lambda: LogisticRegression(C=0).fit(X, y), "C is a number above 0"),
    (lambda: LogisticRegression("l1", solver="lbfgs").fit(X, y), "'gd' does all"), (lambda: LogisticRegression().fit(X, y * 0), "2 classes"),
    (lambda: logistic_regression(X, y + 1), "0 and 1"), (lambda: logistic_regression(X[0], y), "shapes"),
    (lambda: MLPClassifier(activation="cubic").fit(X, y), "activation"), (lambda: MLPClassifier((0,)).fit(X, y), "hidden_layer_sizes"),
    (lambda: MLPClassifier(max_iter=0).fit(X, y), "max_iter"), (lambda: LogisticRegression().fit(X, None), "requires y"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_bad_input_gets_a_clear_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
