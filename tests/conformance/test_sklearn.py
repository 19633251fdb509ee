"""The estimators against scikit-learn's, and inside its tools."""

import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.estimators import KMeans, LogisticRegression, MLPClassifier, MLPRegressor

sklearn = pytest.importorskip("sklearn")
from sklearn import cluster, linear_model, model_selection, neural_network, pipeline, preprocessing  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

ESTIMATORS = [LogisticRegression(), KMeans(), MLPClassifier(), MLPRegressor()]
X, y = tl.data.load_breast_cancer()
Z = preprocessing.StandardScaler().fit_transform(X)


@pytest.mark.filterwarnings("ignore:.* did not converge", "ignore:.* distinct clusters")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_own_checks(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # a check wants it
    check(estimator)


@pytest.mark.parametrize("data", [Z, X], ids=["scaled", "raw"])
@pytest.mark.parametrize("settings", [{}, {"C": 0.1}, {"class_weight": "balanced"}, {"fit_intercept": False}])
def test_l2_coefficients(data, settings):
    if data is X and settings.get("fit_intercept") is False:
        pytest.skip("scikit-learn itself does not converge there")
    ours = LogisticRegression(**settings).fit(data, y)
    theirs = linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000, **settings).fit(data, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)


def test_l1_and_multinomial_coefficients():
    ours = LogisticRegression("l1", C=0.1).fit(Z, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = linear_model.LogisticRegression(penalty="l1", solver="saga", C=0.1, tol=1e-8, max_iter=20_000).fit(Z, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    digits, labels = tl.data.load_digits()
    ours = LogisticRegression(C=0.1).fit(digits[:500], labels[:500])
    theirs = linear_model.LogisticRegression(C=0.1, tol=1e-10, max_iter=5000).fit(digits[:500].astype(float), labels[:500])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


def test_k_means_inertia_on_digits():
    digits = tl.data.load_digits()[0].astype(float)
    ours = min(KMeans(10, n_init=3, random_state=seed).fit(digits).inertia_ for seed in range(2))
    theirs = min(cluster.KMeans(10, n_init=3, random_state=seed).fit(digits).inertia_ for seed in range(2))
    assert abs(ours / theirs - 1) < 0.02
    start = digits[:10]
    ours, theirs = KMeans(10, init=start, tol=0).fit(digits), cluster.KMeans(10, init=start, tol=0, n_init=1).fit(digits)
    assert np.isclose(ours.inertia_, theirs.inertia_) and (ours.labels_ == theirs.labels_).all()


@pytest.mark.parametrize("seed", range(12))
def test_logistic_regression_on_random_data(seed):
    r = np.random.default_rng(seed)
    points, classes = r.standard_normal((90, 4)) * 10.0 ** r.uniform(-2, 2, 4) + r.standard_normal(4), 2 + seed % 3
    labels = np.array(["a", "b", "c", "d"])[np.where(points[:, 0] > 0, 1, r.integers(0, classes, 90))]
    settings = {"C": 10.0 ** r.uniform(-2, 2), "fit_intercept": bool(seed % 4), "class_weight": [None, "balanced", {"a": 3.0}][seed % 3]}
    weight = r.uniform(0, 2, 90) if seed % 2 else None
    ours = LogisticRegression(**settings).fit(points, labels, weight)
    theirs = linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000, **settings).fit(points, labels, weight)
    assert (ours.classes_ == theirs.classes_).all()
    np.testing.assert_allclose(ours.predict_proba(points), theirs.predict_proba(points), atol=1e-5)
    assert np.isclose(ours.score(points, labels, weight), theirs.score(points, labels, weight))


@pytest.mark.parametrize("seed", range(12))
def test_k_means_on_random_data(seed):
    r = np.random.default_rng(seed)
    points, k = r.standard_normal((150, 1 + seed % 5)).astype([np.float64, np.float32][seed % 2]), 2 + seed % 6
    start, weight = points[r.choice(150, k, replace=False)], r.uniform(0, 3, 150) if seed % 3 else None
    ours = KMeans(k, init=start, tol=0).fit(points, sample_weight=weight)
    theirs = cluster.KMeans(k, init=start, tol=0, n_init=1).fit(points, sample_weight=weight)
    assert np.isclose(ours.inertia_, theirs.inertia_) and (ours.labels_ == theirs.labels_).all()
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-5)
    np.testing.assert_allclose(ours.transform(points), theirs.transform(points), atol=1e-5)
    assert np.isclose(ours.score(points, sample_weight=weight), theirs.score(points, sample_weight=weight))
    assert ours.cluster_centers_.dtype == ours.transform(points).dtype == points.dtype


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_losses_of_the_same_mlp(name, alpha, activation):
    points, targets = Z[:200, :6], (Z[:200, 6] > 0) + (Z[:200, 7] > 0.5) * 1.0
    settings = {"hidden_layer_sizes": (8, 5), "activation": activation, "alpha": alpha, "batch_size": 200, "learning_rate_init": 0.01, "tol": 1e-3, "random_state": 0}
    ours, theirs = ((module.MLPClassifier if name == "MLPClassifier" else module.MLPRegressor)(max_iter=1, warm_start=True, **settings)
                    for module in (tl.estimators, neural_network))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in (ours, theirs):
            model.fit(points, targets)
        linears = [layer for layer in ours.model_ if hasattr(layer, "weight")]
        for linear, weight, bias in zip(linears, theirs.coefs_, theirs.intercepts_):
            linear.load_state_dict({"weight": weight.T, "bias": bias})
        theirs.best_loss_, theirs._no_improvement_count = np.inf, 0
        for model in (ours, theirs):
            model.set_params(max_iter=40).fit(points, targets)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-4)
    assert ours.n_iter_ == theirs.n_iter_
    predicted = (model.predict(points) if name == "MLPRegressor" else model.predict_proba(points) for model in (ours, theirs))
    np.testing.assert_allclose(*predicted, atol=1e-4)


def test_its_exceptions_are_scikit_learns_too():
    with pytest.raises(NotFittedError):
        KMeans().predict(X)
    with pytest.raises(tl.estimators.NotFittedError):
        KMeans().predict(X)
    for category in (ConvergenceWarning, tl.estimators.ConvergenceWarning):
        with pytest.warns(category, match="did not converge in 1 iterations"):
            LogisticRegression(max_iter=1).fit(Z, y)
    with pytest.warns(DataConversionWarning):
        LogisticRegression().fit(Z, y[:, None])


def test_columns_of_data_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Z[:, :3], columns=["radius", "texture", "perimeter"])
    model = LogisticRegression().fit(frame, pandas.Series(y))
    assert list(model.feature_names_in_) == list(frame.columns) and (model.predict(frame) == model.predict(frame.to_numpy())).all()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["texture", "radius", "perimeter"]])
    assert not hasattr(model.fit(Z, y), "feature_names_in_")


@pytest.mark.parametrize("model", [KMeans(2), LogisticRegression(), MLPRegressor()], ids=lambda m: type(m).__name__)
def test_sparse_matrices_are_refused(model):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="X is sparse, and dense data is required"):
        model.fit(sparse.csr_array(Z), y)


def test_weights_of_samples_inside_scikit_learn():
    weight = np.where(y == 1, 5.0, 1.0)
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), LogisticRegression()).fit(X, y, logisticregression__sample_weight=weight)
    assert steps.predict(X).mean() > LogisticRegression().fit(Z, y).predict(Z).mean()
    search = model_selection.GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(Z, y, sample_weight=weight)
    assert search.best_score_ > 0.95 and "LogisticRegression" in steps._repr_html_()


@pytest.mark.filterwarnings("ignore:MLP.* did not converge")
@pytest.mark.parametrize("model", [KMeans(3), LogisticRegression(C=2.0), MLPClassifier((4,), max_iter=3), MLPRegressor((4,), max_iter=3)],
                         ids=lambda m: type(m).__name__)
def test_inside_scikit_learn(model):
    copy = sklearn.base.clone(model)
    assert copy is not model and copy.get_params() == model.get_params()
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), copy)
    assert steps.fit(X, y).predict(X).shape == (569,)
    scores = model_selection.cross_val_score(steps, X, y, cv=3)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    assert sklearn.base.is_classifier(model) == isinstance(model, (LogisticRegression, MLPClassifier))
    if isinstance(model, LogisticRegression):
        assert scores.mean() > 0.95
        search = model_selection.GridSearchCV(steps, {"logisticregression__C": [0.1, 1.0]}, cv=3).fit(X, y)
        assert search.best_score_ > 0.95
