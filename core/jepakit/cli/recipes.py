"""`jepakit recipes list` and `jepakit recipes show`."""

from __future__ import annotations

import json

import click

from jepakit.cli.policy import Policy


@click.group(no_args_is_help=False)
def recipes() -> None:
    """Complete run configs, ready to train."""


@recipes.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(policy: Policy, as_json: bool) -> None:
    """Name, modality and summary of every recipe."""
    from jepakit.recipes import list_recipes

    found = list_recipes(policy.host())
    if as_json:
        click.echo(json.dumps({"recipes": found}))
        return
    width = max([len(recipe["name"]) for recipe in found], default=0)
    for recipe in found:
        click.echo(f"{recipe['name']:{width}}  {recipe['modality']:12}  {recipe['summary']}")


@recipes.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(policy: Policy, name: str, as_json: bool) -> None:
    """The recipe NAME as YAML, with its description on top: copy it to a file to change it."""
    from jepakit.recipes import find_recipe

    recipe = find_recipe(name, policy.host())
    click.echo(
        json.dumps({"name": recipe.name, "description": recipe.description, "text": recipe.text}) if as_json else recipe.text.rstrip()
    )
