"""What this distribution brings: column tokens, their targets and the recipe of T-JEPA."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """How a row becomes tokens, and what is predicted of them."""
    return [
        ComponentSpec(
            "tokenizer",
            "tabular-columns",
            "jepakit_tabular.tokenizer:ColumnTokenizer",
            "jepakit_tabular.tokenizer:ColumnSettings",
            "a token a column: numbers, dates, categories, texts, missing cells",
        ),
        ComponentSpec(
            "transform",
            "column-levels",
            "jepakit_tabular.target:ColumnTarget",
            "jepakit_tabular.target:ColumnTargetSettings",
            "mixes blocks and standardises every column by itself",
        ),
    ]


LINEAR, MLP = "evaluate.probes=[linear]", "evaluate.probes=[mlp]"
FLAT, ALL_LABELS = "evaluate.poolings=[flat]", "evaluate.budgets=[]"
TABLES = {
    "tab_california_housing": ("california_housing.parquet::label=median_house_value", (LINEAR, "evaluate.max_fit_rows=15000")),
    "tab_adult": (
        "adult.parquet::label=income",
        (MLP, FLAT, ALL_LABELS, "evaluate.max_fit_rows=30000", "tokenizer.sigma=1.0", "tokenizer.count=48"),
    ),
    "tab_higgs7k": (
        "higgs7k.parquet::label=signal",
        (LINEAR, FLAT, ALL_LABELS, "evaluate.metrics=[auroc,accuracy]", "train.steps=120", "data.batch=128"),
    ),
    "tab_soybean": (
        "soybean.parquet::label=target",
        (LINEAR, 'evaluate.poolings=[flat,"levels:flat"]', "evaluate.budgets=[5]", "data.batch=64"),
    ),
}
"""Set → its table, which has splits of its own, and the options that it is measured with."""

QUICK = ("train.steps=100",)
BUNDLED: dict[str, tuple[str, ...]] = {"breast-cancer": (), "diabetes": (), "iris": ("data.batch=32",), "wine": ("data.batch=32",)}
"""Set of scikit-learn → its options: 150 flowers and 178 wines are less than a batch."""


def sets() -> tuple[QualitySet, ...]:
    """The tables, and those that ship with scikit-learn."""
    own = ((name, f"$JEPAKIT_DATA/{name}/{table}", changes) for name, (table, changes) in TABLES.items())
    small = (QualitySet(f"bundled:{name}", f"bundled:{name}", changes=(LINEAR, *changes), quick=QUICK) for name, changes in BUNDLED.items())
    return (*(QualitySet(name, source, source, changes) for name, source, changes in own), *small)


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """T-JEPA."""
    return [RecipeSpec("tabular", "table", "jepakit_tabular:recipes/tabular.yaml", "T-JEPA on tables", "arXiv 2410.05016", sets())]
