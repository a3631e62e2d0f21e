"""`jepakit`: a group of commands imported when they are called, and the one place that turns errors into exit codes.

0 done · 1 something the user can put right · 2 the command line is off · 3 a plugin · 4 collapsed or diverged · 130, 143 stopped.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from jepakit import __version__
from jepakit.cli.policy import Policy, take_policy
from jepakit.errors import JepakitError, nearest
from jepakit.plugin_host.loader import load

COMMANDS = {
    "inspect": ("jepakit.cli.inspect:inspect", "Say what is in data, what is wrong with it, and which recipe fits."),
    "train": ("jepakit.cli.train:train", "Train a recipe on data."),
    "resume": ("jepakit.cli.train:resume", "Go on with a run from its newest checkpoint."),
    "eval": ("jepakit.cli.evaluate:evaluate", "Compare a run's encoder with the same one untrained and with raw features."),
    "score": ("jepakit.cli.score:score", "Rank samples by how typical a run's encoder finds them."),
    "embed": ("jepakit.cli.embed:embed", "Write the embeddings of a data set to a file."),
    "export": ("jepakit.cli.export:export", "Write the encoder of a run for other programs, with a model card."),
    "import": ("jepakit.cli.adopt:adopt", "Take over the weights of another program's vision transformer."),
    "report": ("jepakit.cli.report:report", "Turn a run into one self-contained HTML file."),
    "runs": ("jepakit.cli.runs:runs", "List runs, show or compare them, name the best checkpoint."),
    "recipes": ("jepakit.cli.recipes:recipes", "List recipes, or show one."),
    "plugins": ("jepakit.cli.plugins:plugins", "List plugins and what became of each."),
    "bench": ("jepakit.cli.bench:bench", "Measure this machine: speed of a step against the published one."),
    "doctor": ("jepakit.cli.doctor:doctor", "Check this machine and what is installed on it."),
}
"""Name → (where the click command stands, its line in the help)."""
TRACEBACK = "JEPAKIT_TRACEBACK"


class LazyGroup(click.Group):
    """Imports a command when it is called. Plugins can add commands, never replace one of jepakit's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self._added(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        added = self._added(ctx)
        return load(added[cmd_name][0]) if cmd_name in added else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS and args[0] not in self._added(ctx):
            raise click.UsageError(f"no command named '{args[0]}'.{nearest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in (COMMANDS | self._added(ctx)).items()])

    def _added(self, ctx: click.Context) -> dict[str, tuple[str, str]]:
        policy = ctx.find_object(Policy) or Policy()
        return {spec.name: (spec.target, spec.summary) for spec in policy.host().commands() if spec.name not in COMMANDS}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="jepakit")
def cli() -> None:
    """Joint-embedding predictive architectures on any kind of data.

    \b
    jepakit train RECIPE --data DATA
    jepakit eval RUN --data DATA
    jepakit report RUN

    --no-plugins[=a,b] on any command leaves out all plugins, or those named; JEPAKIT_PLUGINS=a,b lets in only those named.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every error is one sentence on stderr (JEPAKIT_TRACEBACK=1 shows where)."""
    try:
        policy, rest = take_policy(sys.argv[1:] if arguments is None else arguments, os.environ)
        return int(cli.main(rest or ["--help"], prog_name="jepakit", standalone_mode=False, obj=policy) or 0)
    except click.ClickException as error:
        return _end(error, f"{error.format_message()}{_usage_hint(error)}", error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        return _end(error, "interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away: `jepakit recipes list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except JepakitError as error:
        return _end(error, str(error), error.exit_code)
    except Exception as error:  # the one broad except: nothing above knows what this is
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _end(error, f"{said} (unexpected, a bug in jepakit or in a plugin; {TRACEBACK}=1 shows where)", 1)


def _end(error: BaseException, sentence: str, code: int) -> int:
    if os.environ.get(TRACEBACK) == "1":
        traceback.print_exception(error)
    print(f"error: {sentence}", file=sys.stderr)
    return code


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" Try `{context.command_path} --help`." if context is not None else ""


if __name__ == "__main__":
    sys.exit(main())
