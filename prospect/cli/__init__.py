"""The command line: it parses, calls the library, and echoes."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import warnings
from typing import Any

import click

from prospect._version import __version__
from prospect.cli.checking import verify
from prospect.cli.commodities import commodities
from prospect.cli.data import add, demo, doctor, grid_command, init, inspect
from prospect.cli.description import description
from prospect.cli.explanation import explain
from prospect.cli.export import export
from prospect.cli.features import features
from prospect.cli.model import score, train
from prospect.cli.report import report
from prospect.cli.targets import compare, targets, update
from prospect.cli.validation import validate
from prospect.errors import ProspectError
from prospect.memory import addresses_left

INTERRUPTED = 130
TERMINATED = 143

ADDRESSES = 1e9
"""Bytes of address space that libraries take, of which not half is ever used."""


class Terminated(KeyboardInterrupt):
    """The system asks the program to end, as people do with Ctrl-C."""


class Sentences(click.Group):
    """A group whose expected errors are one sentence and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ProspectError as error:
            raise click.ClickException(" ".join([str(error), *_notes(error)])) from error
        except (MemoryError, RuntimeError) as error:
            # A thread needs memory, too.
            if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
                raise
            raise click.ClickException(
                "There is not enough memory: use fewer workers, or a smaller --tile."
            ) from error
        except KeyboardInterrupt as error:
            kept = _notes(error) or ["nothing was left half-written."]
            click.echo(f"\nInterrupted: {' '.join(kept)}", err=True)
            ctx.exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED)


def _notes(error: BaseException) -> list[str]:
    """What was said of an error on its way."""
    return list(getattr(error, "__notes__", ()))


def _terminate(number: int, frame: Any) -> None:
    raise Terminated


class _Aloud(logging.Handler):
    """What our own modules have to say while they work."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        click.echo(record.getMessage(), err=True)


def _describe(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        # ASCII, so that it can be read whatever the encoding of the pipe.
        click.echo(json.dumps(description(main), indent=1))
        context.exit()


@click.group(
    cls=Sentences,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: prospect demo",
)
@click.version_option(__version__, "-V", "--version", message="prospect %(version)s")
@click.option(
    "--describe",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_describe,
    help="Tell all commands and options as JSON, for programs that offer them.",
)
def main() -> None:
    """From geological layers and known deposits to a map of where more are likely.

    \b
    prospect init     FOLDER -o PROJECT       guess what the layers are
    prospect inspect  PROJECT                 see what is wrong, and correct prospect.toml
    prospect train    PROJECT -c gold --occurrences deposits.shp -o gold.prospect
    prospect validate gold.prospect PROJECT
    prospect explain  gold.prospect PROJECT
    prospect score    gold.prospect PROJECT -o gold.tif
    prospect targets  gold.tif gold.prospect
    prospect report   gold.tif gold.prospect PROJECT
    prospect verify   gold.tif PROJECT --model gold.prospect
    prospect export   gold.tif gold.prospect PROJECT
    """


for command in (
    demo,
    init,
    inspect,
    add,
    grid_command,
    commodities,
    features,
    train,
    validate,
    explain,
    score,
    targets,
    compare,
    update,
    report,
    verify,
    export,
    doctor,
):
    main.add_command(command)


def _speak_utf8() -> None:
    """Begin again in UTF-8 where names of files would be taken for ASCII, or something older."""
    older = sys.getfilesystemencoding() != "utf-8" and os.name == "posix"
    if older and os.environ.get("PYTHONUTF8") != "1":
        # In the environment, so that worker processes do too.
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _require_addresses() -> None:
    """Refuse to begin where libraries could not be loaded: they crash, or wait for ever."""
    left = addresses_left()
    if left < ADDRESSES:
        click.echo(
            f"Error: prospect needs {ADDRESSES / 1e9:.0f} GB of address space to begin, and "
            f"{left / 1e9:.2f} GB are left: raise the limit with 'ulimit -v', or in the job's "
            "file.",
            err=True,
        )
        sys.exit(1)


def run() -> None:
    """Start from a shell."""
    _speak_utf8()
    _require_addresses()
    # Foreign libraries talk to the log and in warnings; people get our own sentences.
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("prospect").addHandler(_Aloud(logging.WARNING))
    signal.signal(signal.SIGTERM, _terminate)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        # Names of layers and places are not ASCII, whatever the locale says.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    main(prog_name="prospect")
