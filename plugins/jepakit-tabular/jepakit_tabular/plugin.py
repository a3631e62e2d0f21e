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


def tables() -> tuple[QualitySet, ...]:
    """Tables with splits of their own, and one that ships with scikit-learn."""
    at = {
        "tab_california_housing": "california_housing.parquet::label=median_house_value",
        "tab_adult": "adult.parquet::label=income",
        "tab_higgs7k": "higgs7k.parquet::label=signal",
        "tab_soybean": "soybean.parquet::label=target",
    }
    linear = ("evaluate.probes=[linear]", 'evaluate.poolings=["levels:flat"]')
    small = ("train.steps=200", "data.batch=64", "evaluate.budgets=[5]")
    changes = {"tab_soybean": ("evaluate.probes=[linear]", *small)}
    return (
        *(
            QualitySet(name, f"$JEPAKIT_DATA/{name}/{table}", f"$JEPAKIT_DATA/{name}/{table}", changes.get(name, linear))
            for name, table in at.items()
        ),
        QualitySet("bundled:breast-cancer", "bundled:breast-cancer", quick=("train.steps=100",)),
    )


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """T-JEPA."""
    return [RecipeSpec("tabular", "table", "jepakit_tabular:recipes/tabular.yaml", "T-JEPA on tables", "arXiv 2410.05016", tables())]
