"""``python -m scoop_chaos``: one command for each harness, imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "sim": "Run the state machines under a virtual clock, one integer seed a fate.",
    "mutants": "Show that the simulator catches broken variants of the logic.",
    "cuts": "Cut the power of the journal's file at any moment of a real run.",
    "real": "Kill, stop, cut and fill a real run, and compare its answer.",
    "matrix": "One death at a time, side by side with others of this kind.",
}


class _Harnesses(click.Group):
    """Finds ``scoop_chaos.NAME.command.command`` when NAME is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = import_module(f"scoop_chaos.{cmd_name}.command").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Harnesses"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Harnesses, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Break scoop-ft in every way there is, and say what did not hold."""


if __name__ == "__main__":
    main(prog_name="python -m scoop_chaos")
