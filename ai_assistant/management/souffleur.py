"""Commands of the command line as commands of `manage.py`: their options are taken over."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any, ClassVar

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rag.core.errors import HelpError


class SouffleurCommand(BaseCommand):
    """Run a command of the command line with the site's settings."""

    command: ClassVar[click.Command]

    @property
    def help(self) -> str:
        """Return what the command line's own help says."""
        return self.command.help or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take over the command's arguments and options."""
        for parameter in self.command.params:
            if isinstance(parameter, click.Argument):
                parser.add_argument(str(parameter.name), nargs="*" if parameter.nargs < 0 else None)
            elif isinstance(parameter, click.Option):
                _add_option(parser, parameter)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it. Raises: CommandError, SystemExit with the command's own code."""
        written = io.StringIO()
        try:
            with contextlib.redirect_stdout(written):
                arguments = list(_arguments(self.command, options))
                self.command.main(arguments, self.command.name, standalone_mode=False)
        except HelpError as error:
            raise CommandError(str(error)) from error
        except click.ClickException as error:
            raise CommandError(error.format_message()) from error
        finally:
            self.stdout.write(written.getvalue(), ending="")


def _add_option(parser: CommandParser, option: click.Option) -> None:
    more: dict[str, Any] = {"help": option.help, "dest": _key(option)}
    if option.is_flag:
        more["action"] = "store_true"
    elif option.multiple:
        more["action"] = "append"
    parser.add_argument(*option.opts, **more)


def _arguments(command: click.Command, options: dict[str, Any]) -> Iterator[str]:
    """Yield the arguments as they would be typed; paths that begin with a dash come last."""
    for option in command.params:
        value = options.get(_key(option)) if isinstance(option, click.Option) else None
        if value is True:
            yield option.opts[-1]
        elif value is not None and value is not False:
            for one in value if isinstance(value, list | tuple) else [value]:
                yield f"{option.opts[-1]}={one}"
    yield "--"
    for argument in command.params:
        if isinstance(argument, click.Argument):
            value = options.get(str(argument.name)) or []
            yield from map(str, value if isinstance(value, list | tuple) else [value])


def _key(option: click.Parameter) -> str:
    return option.opts[-1].lstrip("-").replace("-", "_")
