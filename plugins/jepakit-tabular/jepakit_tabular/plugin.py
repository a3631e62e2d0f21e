"""What this distribution brings: column tokens, their targets and the recipe of T-JEPA."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl


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


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """T-JEPA."""
    return [RecipeSpec("tabular", "table", "jepakit_tabular:recipes/tabular.yaml", "T-JEPA on tables", "arXiv 2410.05016")]
