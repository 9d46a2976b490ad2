"""The `preheat` command. A subcommand's module is imported when it is asked for, so that `--help` is quick."""

from __future__ import annotations

import importlib

import click

# name: (module:attribute of a click command, one line for the list). A line here is all it takes to add one.
COMMANDS: dict[str, tuple[str, str]] = {
    "local": (
        "preheat_tools.localcloud.commands:local",
        "an AWS on this machine: up, deploy, invoke, tick, status, down",
    ),
    "deploy-check": (
        "preheat_tools.deploy_check:deploy_check",
        "may this version take traffic? warm it, verify it, compare it",
    ),
    "doctor": (
        "preheat_tools.doctor.command:doctor",
        "is a stack, or a set of parameters, as it should be, and what does it cost?",
    ),
    "bench": ("preheat_tools.bench.command:bench", "measure cold starts and the warm path"),
    "demo": ("preheat_tools.demo.command:demo", "Deploy to a local AWS and measure cold against warm."),
    "models": ("preheat_tools.models.command:models", "train, evaluate, export and pack the recommenders"),
    "advise": (
        "preheat_tools.adviser.command:advise",
        "what keeping a function warm is worth, by its own traffic",
    ),
    "savings": (
        "preheat_tools.adviser.savings_command:savings",
        "what the warmer saved, from its own log lines",
    ),
    "simulate": ("preheat_tools.simulator.command:simulate", "policies side by side on request traces"),
    "pack": ("preheat_tools.pack.command:pack", "make a model pack, or check one"),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[name][0]} must be a click command, is: {command!r}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="preheat")
def main() -> None:
    """Keep machine-learning models on AWS Lambda ready to answer, for the least money."""
