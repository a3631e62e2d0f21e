"""The named probes: which estimator, which options to choose from, and which option when labels are too few to choose.

All take features (n, F) that `probes.preparation` has standardised, except those that want tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from jepakit.errors import ConfigError
from jepakit.evaluate.labels import Task
from jepakit.evaluate.probe import Probe
from jepakit.evaluate.settings import EvalSettings

TOLERANCE = 1e-3
"""Where the solver of the linear probe stops: ten times sklearn's default, for speed. Its effect on the values was not measured."""
EPOCHS = (3.0, 10.0, 30.0, 100.0)
"""Of the MLP probe. Fitted on 22,000 rows of Adult, 3 were better than 10 (.864, .862); on 10,800 of California housing 30 were best."""
Factory = Callable[[Task, EvalSettings, int], Probe | None]


def linear(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Logistic regression, one a label where there are several; ridge for numbers, one penalty for all of them.

    Ridge solves in double precision: columns that say nearly the same make its matrix singular in single precision.
    """
    if task == "regression":
        return Probe(
            "linear", lambda a, _: make_pipeline(FunctionTransformer(np.float64), Ridge(a)), settings.ridge, lambda _: settings.ridge[0]
        )

    def make(c: float, _: int) -> Any:
        model = LogisticRegression(C=c, max_iter=settings.iterations, tol=TOLERANCE)
        return OneVsRestClassifier(model) if task == "multilabel" else model

    return Probe("linear", make, settings.strengths, lambda _: settings.few_label_strength)


def knn(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Nearest neighbours by cosine."""
    kind = KNeighborsRegressor if task == "regression" else KNeighborsClassifier

    def few(budget: int) -> float:
        return float(max((k for k in settings.neighbours if k <= budget), default=1))

    return Probe("knn", lambda k, n: kind(min(int(k), n), metric="cosine"), settings.neighbours, few)


def svm(task: Task, settings: EvalSettings, seed: int) -> Probe | None:
    """A linear support vector machine, one against the rest; not for numbers."""
    if task == "regression":
        return None

    def make(c: float, _: int) -> Any:
        model = LinearSVC(C=c, max_iter=10 * settings.iterations, tol=TOLERANCE, random_state=seed)
        return OneVsRestClassifier(model) if task == "multilabel" else model

    return Probe("svm", make, settings.strengths, lambda _: settings.few_label_strength)


def mlp(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Two hidden layers; how many times they see the training rows is chosen. Few labels see each row many times anyway."""
    from jepakit.evaluate.mlp import mlp_probe

    return Probe("mlp", lambda epochs, _: mlp_probe(task, epochs, seed), EPOCHS, lambda _: EPOCHS[2], climbs=True)


def boosting(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Histogram gradient boosting of scikit-learn at its defaults, one model a label where there are several."""

    def make(_: float, rows: int) -> Any:
        if task == "regression":
            return _Several(MultiOutputRegressor, HistGradientBoostingRegressor(random_state=seed))
        model = HistGradientBoostingClassifier(random_state=seed)
        return OneVsRestClassifier(model) if task == "multilabel" else model

    return Probe("boosting", make, (1.0,), lambda _: 1.0)


def lightgbm(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Gradient boosting of LightGBM at its defaults, on one thread, repeatable; ConfigError where it is not installed."""
    if find_spec("lightgbm") is None:
        raise ConfigError("evaluate.probes: 'lightgbm' needs the package of that name; pip install lightgbm, or take 'boosting'")

    def make(_: float, rows: int) -> Any:
        from lightgbm import LGBMClassifier, LGBMRegressor

        options: dict[str, Any] = {"n_jobs": 1, "deterministic": True, "random_state": seed, "verbose": -1}
        if task == "regression":
            return _Several(MultiOutputRegressor, LGBMRegressor(**options))
        model = LGBMClassifier(**options)
        return OneVsRestClassifier(model) if task == "multilabel" else model

    return Probe("lightgbm", make, (1.0,), lambda _: 1.0)


def attentive(task: Task, settings: EvalSettings, seed: int) -> Probe:
    """Learned queries over the tokens, then a linear layer."""
    from jepakit.evaluate.attentive import attentive_probe

    return Probe("attentive", lambda decay, _: attentive_probe(task, decay, seed), (0.01, 0.3), lambda _: 0.3, wants="tokens")


class _Several:
    """A regressor of one number, repeated for each column where the labels have several."""

    def __init__(self, repeat: Callable[[Any], Any], one: Any) -> None:
        self.repeat, self.model = repeat, one

    def fit(self, x: Any, y: Any) -> None:
        self.model = self.repeat(self.model) if y.ndim == 2 else self.model
        self.model.fit(x, y)

    def predict(self, x: Any) -> Any:
        return self.model.predict(x)

    def score(self, x: Any, y: Any) -> float:
        return float(self.model.score(x, y))


FACTORIES: dict[str, Factory] = {
    "linear": linear, "knn": knn, "svm": svm, "mlp": mlp, "boosting": boosting, "lightgbm": lightgbm, "attentive": attentive,
}  # fmt: skip
