"""The estimators against scikit-learn's, and inside its tools."""

import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.estimators import KMeans, LogisticRegression, MLPClassifier, MLPRegressor

sklearn = pytest.importorskip("sklearn")
from sklearn import cluster, linear_model, model_selection, pipeline, preprocessing  # noqa: E402

X, y = tl.data.load_breast_cancer()
Z = preprocessing.StandardScaler().fit_transform(X)


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
