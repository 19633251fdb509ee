"""K-means, logistic regression and MLPs: their mathematics, and scikit-learn's conventions."""

import itertools
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.estimators import (
    ConvergenceWarning,
    DataConversionWarning,
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
unconverged = pytest.mark.filterwarnings("ignore:MLP.* did not converge")


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
    with pytest.warns(ConvergenceWarning, match="found 2 distinct clusters of n_clusters=4"):
        model = KMeans(4, random_state=0).fit(twice)
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


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_center_is_at_0_from_itself(offset, dtype):
    model = KMeans(5, random_state=0).fit((BLOBS + offset).astype(dtype))
    assert (np.diag(model.transform(model.cluster_centers_)) == 0).all()


@pytest.mark.parametrize("init", ["k-means++", "random", BLOBS[:4] + 0.01, [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [50.0, 50.0]]], ids=["k-means++", "random", "array", "one empty"])
def test_a_weight_is_so_many_copies_in_any_order(init):
    for seed in range(5):
        r = np.random.default_rng(seed)
        weight = r.integers(0, 4, len(BLOBS))
        copies = r.permutation(np.repeat(BLOBS, weight, 0))
        a = KMeans(4, init=init, random_state=seed).fit(BLOBS, sample_weight=weight)
        b = KMeans(4, init=init, random_state=seed).fit(copies)
        np.testing.assert_allclose(a.cluster_centers_, b.cluster_centers_, atol=1e-12)
        assert np.isclose(a.inertia_, b.inertia_) and a.n_iter_ == b.n_iter_ and a.labels_.shape == (len(BLOBS),)
        assert np.isclose(a.score(BLOBS, sample_weight=weight), b.score(copies))


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_distances_out_of_range_are_refused(scale):
    with pytest.raises(ValueError, match="leave the range of float64: scale X"):
        KMeans(3).fit(BLOBS * scale)


def test_a_weight_of_0_makes_no_cluster():
    model = KMeans(1).fit(BLOBS, sample_weight=np.eye(len(BLOBS))[7])
    np.testing.assert_allclose(model.cluster_centers_[0], BLOBS[7])
    assert model.inertia_ < 1e-20 and len(model.labels_) == len(BLOBS)


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


@pytest.mark.parametrize("settings", [{}, {"class_weight": "balanced"}, {"class_weight": {"a": 3, "c": 0.5}}, {"penalty": "l1"}, {"fit_intercept": False}])
def test_a_weight_is_so_many_samples(settings):
    weight = np.random.default_rng(1).integers(0, 4, 90)
    a = LogisticRegression(**settings).fit(IRIS_LIKE, THREE, weight)
    b = LogisticRegression(**settings).fit(np.repeat(IRIS_LIKE, weight, 0), np.repeat(THREE, weight))
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-6)
    assert np.isclose(a.loss_, b.loss_)
    none_of_a = np.where(THREE == "a", 0.0, 1.0)
    for weights in ({}, {"class_weight": "balanced"}):
        model, rest = LogisticRegression(**weights).fit(IRIS_LIKE, THREE, none_of_a), THREE != "a"
        assert list(model.classes_) == ["a", "b", "c"] and model.predict_proba(IRIS_LIKE)[:, 0].max() < 1e-3
        two = LogisticRegression(**weights).fit(IRIS_LIKE[rest], THREE[rest])
        np.testing.assert_array_equal(model.predict(IRIS_LIKE[rest]), two.predict(IRIS_LIKE[rest]))


@pytest.mark.parametrize("settings, weight", [({}, 1e100), ({}, 1e300), ({"solver": "gd"}, 1e100), ({"penalty": None}, 1.0), ({"penalty": "l1"}, 1e100), ({"C": 1e100}, 1.0)])
def test_what_has_no_minimum_that_is_held_is_not_called_converged(settings, weight):
    X, y, more = np.arange(4.0)[:, None], [0, 0, 1, 1], [0, 1, 0, 1]
    with pytest.warns(ConvergenceWarning, match="told apart without any loss"):
        assert not LogisticRegression(**settings).fit(X, y, np.full(4, weight)).converged_
    assert LogisticRegression(**settings).fit(X, more, np.full(4, weight)).converged_
    assert LogisticRegression().fit(X, y).converged_ and LogisticRegression(C=100).fit(X, y).converged_


@pytest.mark.parametrize("make, what", [
    (lambda: LogisticRegression(fit_intercept="abc"), "fit_intercept is True or False, not 'abc'"), (lambda: LogisticRegression(fit_intercept=1), "fit_intercept"),
    (lambda: LogisticRegression(C=True), "C is a number above 0, not True"), (lambda: LogisticRegression(tol=False), "tol"),
    (lambda: LogisticRegression(max_iter=True), "max_iter"), (lambda: LogisticRegression(class_weight={0: True}), "class_weight"),
    (lambda: KMeans(True), "n_clusters is a whole number above 0, not True"), (lambda: KMeans(2, n_init=True), "n_init"),
    (lambda: KMeans(2, random_state=True), "random_state"), (lambda: MLPClassifier(early_stopping="no"), "early_stopping is True or False, not 'no'"),
    (lambda: MLPClassifier(warm_start=1), "warm_start"), (lambda: MLPClassifier(True), "hidden_layer_sizes"), (lambda: MLPRegressor(random_state=True), "random_state"),
    (lambda: MLPRegressor(batch_size=True), "batch_size")])
def test_bools_are_no_numbers_and_words_no_bools(make, what):
    with pytest.raises(ValueError, match=what):
        make().fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])


@pytest.mark.parametrize("weight, said", [(1e308, "the sum of sample_weight leaves the range"), (1e-320, "C times the sum of the weights leaves the range")])
def test_weights_out_of_range_are_refused(weight, said):
    with pytest.raises(ValueError, match=said):
        LogisticRegression().fit(np.arange(4.0)[:, None], [0, 1, 0, 1], np.full(4, weight))


@pytest.mark.parametrize("settings, error, said", [({"n_iter": 2.5}, TypeError, "n_iter is a whole number"), ({"lr": "a"}, TypeError, "lr is a number"),
                                                   ({"lr": 0.0}, ValueError, "lr is a number above 0"), ({"l2": -1.0}, ValueError, "l2 is a number from 0")])
def test_settings_of_gradient_descent_by_hand(settings, error, said):
    with pytest.raises(error, match=said):
        logistic_regression(X, y, **settings)


@pytest.mark.parametrize("penalty, scale", [("l2", 1e200), (None, 1e200), (None, 1e-200)])
def test_features_of_any_scale(penalty, scale):
    model = LogisticRegression(penalty).fit(IRIS_LIKE * scale, THREE)
    np.testing.assert_allclose(model.coef_ * scale, LogisticRegression(None).fit(IRIS_LIKE, THREE).coef_, atol=1e-4)


# ---------------------------------------------------------------- multi-layer perceptrons
@unconverged
def test_a_classifier_learns_and_repeats():
    settings = {"hidden_layer_sizes": (16,), "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
    a, b = (MLPClassifier(**settings).fit(X, y) for _ in range(2))
    assert a.score(X, y) > 0.97 and a.loss_curve_ == b.loss_curve_ and a.loss_curve_[-1] < a.loss_curve_[0] / 3
    assert a.predict_proba(X).shape == (569, 2)


def test_early_stopping_keeps_the_best():
    model = MLPClassifier((8,), early_stopping=True, n_iter_no_change=3, learning_rate_init=0.05, random_state=1).fit(X, y)
    assert model.n_iter_ < 200 and len(model.validation_scores_) == model.n_iter_ and model.score(X, y) > 0.93


def test_early_stopping_holds_out_the_same_share_of_each_class():
    rare = np.array([0] * 80 + [1] * 16 + [2] * 4)
    for seed in range(5):
        model = MLPClassifier((2,), early_stopping=True, validation_fraction=0.25, random_state=seed).fit(np.eye(100)[:, :5] + rare[:, None], rare)
        kept, held = model._split(rare)  # nothing public tells which
        assert (np.sort(np.concatenate([kept, held])) == np.arange(100)).all()
        assert np.abs(np.bincount(rare[held]) - [20, 4, 1]).max() <= 1 and len(held) == 25 and 2 in rare[kept]


@unconverged
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_partial_fit_is_one_epoch_of_fit(name):
    settings = {"hidden_layer_sizes": (6,), "batch_size": 50, "random_state": 0}
    at_once, by_steps = (getattr(tl.estimators, name)(max_iter=4, **settings) for _ in range(2))
    at_once.fit(X, y)
    for epoch in range(4):
        first = {"classes": [0, 1]} if name == "MLPClassifier" and epoch == 0 else {}
        by_steps.partial_fit(X, y, **first)
        if epoch == 1:
            by_steps = pickle.loads(pickle.dumps(by_steps))  # goes on as if nothing had been
    assert at_once.loss_curve_ == by_steps.loss_curve_ and (at_once.predict(X) == by_steps.predict(X)).all()


@unconverged
@pytest.mark.parametrize("model", [MLPClassifier((6,), max_iter=3, random_state=0), MLPRegressor((6,), max_iter=3, random_state=0)], ids=lambda m: type(m).__name__)
def test_warm_start_goes_on_and_fit_begins_anew(model):
    anew = type(model)(**model.get_params()).fit(X, y).fit(X, y)
    warm = type(model)(**{**model.get_params(), "warm_start": True}).fit(X, y)
    before = warm.loss_
    warm.fit(X, y)
    assert anew.loss_ == before > warm.loss_ and len(warm.loss_curve_) == 6 and len(anew.loss_curve_) == 3
    with pytest.raises(ValueError, match="cannot go on as"):
        warm.set_params(hidden_layer_sizes=(7,)).fit(X, y)
    with pytest.raises(ValueError, match="3 features"):
        warm.fit(X[:, :3], y)


@unconverged
@pytest.mark.parametrize("sizes, count", [(np.int64(6), 4), (np.array([6, 5]), 6), ([6, 5], 6), ((), 2), (6, 4)])
def test_sizes_may_be_numpys(sizes, count):
    model = MLPClassifier(sizes, max_iter=np.int32(2), batch_size=np.int16(64), n_iter_no_change=np.uint8(3)).fit(X, y)
    assert len(list(model.model_.parameters())) == count and KMeans(np.int8(2), max_iter=np.int64(50), tol=np.float32(0)).fit(BLOBS).n_iter_ > 0


@pytest.mark.parametrize("model, scale, said", [
    (MLPRegressor((4,)), 1e200, "MLPRegressor diverged in epoch 1: its loss is inf"),
    (MLPRegressor((4,), learning_rate_init=1e200), 1.0, "MLPRegressor diverged"),
    (MLPClassifier((4,), learning_rate_init=1e200), 1.0, "MLPClassifier diverged"),
])
def test_what_diverges_says_so(model, scale, said):
    with pytest.raises(ValueError, match=said):
        model.fit(X, y if isinstance(model, MLPClassifier) else y * scale)


@unconverged
def test_a_loss_that_only_rises_is_told():
    with pytest.warns(ConvergenceWarning, match="diverged: its loss rose from .* Lower learning_rate_init"):
        MLPRegressor((4,), learning_rate_init=1e6, max_iter=20, random_state=0).fit(X, y)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_learns(outputs):
    x = np.linspace(-2, 2, 200)[:, None]
    target = np.concatenate([np.sin(2 * x), x**2], 1)[:, :outputs]
    target = target[:, 0] if outputs == 1 else target
    model = MLPRegressor((32,), "tanh", learning_rate_init=0.02, max_iter=300, random_state=0).fit(x, target)
    assert model.score(x, target) > 0.98 and model.predict(x).shape == target.shape


# ---------------------------------------------------------------- conventions
@unconverged
@pytest.mark.parametrize("dtype, kept", [(np.float32, np.float32), (np.float16, np.float64), (np.int64, np.float64)])
def test_float32_stays(dtype, kept):
    points, labels = (X * 4).astype(dtype), y
    assert KMeans(2).fit(points).cluster_centers_.dtype == KMeans(2).fit(points).transform(points).dtype == kept
    model = LogisticRegression().fit(points, labels)
    assert model.coef_.dtype == model.intercept_.dtype == model.predict_proba(points).dtype == kept
    assert MLPClassifier((4,), max_iter=2).fit(points, labels).predict_proba(points).dtype == kept
    assert MLPRegressor((4,), max_iter=2).fit(points, labels).predict(points).dtype == kept


@unconverged
@pytest.mark.parametrize("make", [lambda: 3, lambda: np.int64(3), lambda: np.random.RandomState(3), lambda: np.random.default_rng(3)])
def test_random_states_repeat(make):
    a, b = (KMeans(5, init="random", random_state=make()).fit(BLOBS).cluster_centers_ for _ in range(2))
    assert (a == b).all()
    a, b = (MLPClassifier((4,), max_iter=2, random_state=make()).fit(X, y).loss_ for _ in range(2))
    assert a == b


LIMITED = [
    (lambda: KMeans(5, max_iter=1, tol=0, random_state=0).fit(X), "KMeans did not converge: after max_iter=1"),
    (lambda: LogisticRegression(max_iter=2).fit(X, y), "LogisticRegression did not converge in 2 iterations"),
    (lambda: LogisticRegression("l1", max_iter=2).fit(X, y), "LogisticRegression did not converge in 2 iterations"),
    (lambda: MLPClassifier((4,), max_iter=2).fit(X, y), "MLPClassifier did not converge: after max_iter=2 epochs the loss"),
    (lambda: MLPRegressor((4,), max_iter=2, early_stopping=True).fit(X, y), "the validation score may still improve"),
]


@pytest.mark.parametrize("limited, said", LIMITED)
def test_a_search_that_ends_too_early_is_told_where_fit_was_called(limited, said):
    with pytest.warns(ConvergenceWarning, match=said) as told:
        limited()
    assert told[0].filename == __file__


def test_a_search_that_converged_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (KMeans(3, random_state=0), LogisticRegression(), LogisticRegression("l1"), MLPRegressor((4,), tol=0.1, max_iter=500)):
            model.fit(X, y)


def test_scikit_learn_is_not_loaded():
    program = "import sys; from tinygrad_lite.estimators import *; import numpy as np; KMeans(3).fit(np.eye(9)); print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_column_of_labels_is_taken_as_labels_and_told():
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = LogisticRegression().fit(X, y[:, None])
    with pytest.warns(DataConversionWarning):
        assert model.score(X, y[:, None]) == model.score(X, y)


@pytest.mark.parametrize("labels", [THREE, THREE.tolist(), THREE.astype(object), np.repeat([1.0, 2.0, 5.0], 30), np.repeat(np.array([1, 2, 3], object), 30), tl.tensor(np.repeat([3, 4, 5], 30))])
def test_labels_of_any_kind(labels):
    model = LogisticRegression().fit(IRIS_LIKE.tolist(), labels)
    assert model.score(IRIS_LIKE, labels) > 0.8 and set(model.predict(IRIS_LIKE)) == set(np.asarray(labels))


ALL = [KMeans(2), LogisticRegression(), MLPClassifier((4,), max_iter=2), MLPRegressor((4,), max_iter=2)]


@unconverged
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
    (lambda: KMeans(2, n_init="many").fit(BLOBS), "n_init is a whole number above 0 or 'auto'"), (lambda: KMeans(2, tol=-1).fit(BLOBS), "tol is"),
    (lambda: KMeans(2, random_state="seed").fit(BLOBS), "random_state is"), (lambda: KMeans(2, random_state=-1).fit(BLOBS), "random_state is"),
    (lambda: LogisticRegression(class_weight="balance").fit(X, y), "class_weight is None, 'balanced' or a dict of classes, not 'balance'"),
    (lambda: LogisticRegression(class_weight={0: 1.0, 5: 2.0}).fit(X, y), "5: 2.0 is not that"), (lambda: LogisticRegression(class_weight={0: -1.0}).fit(X, y), "numbers above 0"),
    (lambda: LogisticRegression(class_weight=[1, 2]).fit(X, y), "class_weight is"), (lambda: LogisticRegression(solver="saga").fit(X, y), "solver is"),
    (lambda: LogisticRegression().fit(X, X[:, 0]), "Unknown label type: .* continuous"), (lambda: MLPClassifier().fit(X, y + 0.5), "continuous"),
    (lambda: MLPClassifier().fit(X, X[:, 0].astype(object)), "continuous"), (lambda: LogisticRegression().fit(X[:3], ["a", 1, None]), "mixes"),
    (lambda: LogisticRegression().fit(X[:2], [1, np.nan]), "NaN"), (lambda: LogisticRegression().fit(X, X[:, :2] > 0), r"y is \(N,\)"),
    (lambda: LogisticRegression().fit(X * 1j, y), "Complex data"), (lambda: LogisticRegression().fit(X[0], y), "Reshape your data"),
    (lambda: LogisticRegression().fit([[1, 2], [3]], [0, 1]), "X is no array"), (lambda: LogisticRegression().fit(X, y, y[:3]), "sample_weight has shape"),
    (lambda: LogisticRegression().fit(X, y, -y), "sample_weight holds numbers from 0"), (lambda: KMeans(2).fit(X, sample_weight=y * 0), "not zero alone"),
    (lambda: LogisticRegression().fit(X, y, y), "only one class"), (lambda: LogisticRegression().fit(X, y).score(X, y[:3]), "inconsistent"),
    (lambda: MLPClassifier((2.5,)).fit(X, y), "hidden_layer_sizes"), (lambda: MLPClassifier(batch_size="some").fit(X, y), "batch_size"),
    (lambda: MLPRegressor(alpha=-1).fit(X, y), "alpha is a number from 0"), (lambda: MLPRegressor(learning_rate_init=np.nan).fit(X, y), "learning_rate_init is"),
    (lambda: MLPRegressor(validation_fraction=1.5).fit(X, y), "validation_fraction is"), (lambda: MLPRegressor(early_stopping=True).fit(X[:9], y[:9]), "fewer than 2"),
    (lambda: MLPRegressor(early_stopping=True).partial_fit(X, y), "early_stopping"), (lambda: MLPRegressor().fit(X, THREE), "holds numbers"),
    (lambda: MLPClassifier().partial_fit(X, y), "first partial_fit names all classes"), (lambda: MLPClassifier().partial_fit(X, y + 1, [0, 1]), r"y holds \[2\]"),
    (lambda: MLPClassifier((2,)).partial_fit(X, y, [0, 1]).partial_fit(X, y, [0, 1, 2]), "and were"),
    (lambda: MLPRegressor((2,)).partial_fit(X, y).partial_fit(X, X[:, :2]), "cannot go on as"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_bad_input_gets_a_clear_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.parametrize("model, target, spoil, wrong", [
    (LogisticRegression(), y, {"class_weight": {99: 1}}, y + 10), (MLPClassifier((4,), max_iter=3), y, {"hidden_layer_sizes": (0,)}, y + 10),
    (MLPRegressor((4,), max_iter=3), X[:, 0], {"alpha": -1}, X[:, 0]), (KMeans(2, n_init=1), None, {"n_clusters": 0}, None)])
@pytest.mark.filterwarnings("ignore::tinygrad_lite.estimators.ConvergenceWarning")
def test_a_fit_that_fails_leaves_what_was_learned(model, target, spoil, wrong):
    expected = model.fit(X, target).predict(X)
    with pytest.raises(ValueError):
        model.set_params(**spoil).fit(X[:, :1], wrong)
    assert np.array_equal(model.predict(X), expected)
