"""What the verbs share: one-line errors, the parsing of numbers, common options."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from picosam2.errors import InputError
from picosam2.installation import how_to_install
from picosam2.log import show_log
from picosam2.runtime.engines import ENGINES
from picosam2.weights import BUNDLED, DEFAULT_MODEL, DEPRECATED

if TYPE_CHECKING:
    from picosam2.data.problems import Problems

POSITIVE = click.IntRange(min=1)
NATURAL = click.IntRange(min=0)

# Which extra brings a package that is missing.
EXTRAS = {
    "onnx": "export",
    "transformers": "teacher",
    "ray": "scale",
    "jinja2": "eval",
    "matplotlib": "eval",
    "shapely": "formats",
    "fastapi": "serve",
    "uvicorn": "serve",
    "onnxscript": "x-anylabeling",
    "onnx_ir": "x-anylabeling",
}


class BadInput(click.ClickException):
    """One line on standard error, exit code 2."""

    exit_code = 2


class Group(click.Group):
    """Verbs whose options are given once, but those that say that they may be repeated."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb."""
        name, verb, rest = super().resolve_command(ctx, args)
        if verb is not None and not isinstance(verb, click.Group):
            _refuse_repetition(verb, click.Context(verb, parent=ctx, info_name=name), rest)
        return name, verb, rest


def _refuse_repetition(verb: click.Command, ctx: click.Context, args: list[str]) -> None:
    # What does not parse is told by Click itself, a moment later.
    with contextlib.suppress(click.UsageError):
        _, _, given = verb.make_parser(ctx).parse_args(list(args))
        for option, count in Counter(given).items():
            if isinstance(option, click.Option) and count > 1 and not option.multiple:
                raise BadInput(f"{option.opts[0]} is given {count} times: give it once")


class Program(click.Command):
    """Bad input and missing extras are one line and exit code 2, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        handler = show_log()
        ctx.call_on_close(lambda: logging.getLogger("picosam2").removeHandler(handler))
        try:
            return super().invoke(ctx)
        except InputError as error:
            message = str(error)
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            extra = EXTRAS.get(package, "train")
            if package == "picosam2":
                raise
            message = f"this command needs {package}: {how_to_install(extra)}"
        except OSError as error:
            message = f"{error.filename or 'input/output'}: {error.strerror or error}"
        raise BadInput(" ".join(message.split()))


class Cli(Program, Group):
    """A program of several verbs."""


class LocalPath(click.Path):
    """A path on this machine: an address is refused in its own spelling."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As a ``Path``."""
        if "://" in str(value):
            self.fail(f"{value} is an address: download it and give the file", param, ctx)
        return super().convert(value, param, ctx)


PATH = LocalPath()


class OutputFile(click.types.StringParamType):
    """A file to write on this machine, or ``-``: an address or nothing is refused."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As text, which ``-`` is too."""
        if "://" in str(value):
            self.fail(f"{value} is an address: give a file on this machine", param, ctx)
        if not str(value):
            self.fail("its name is empty: give a file, or - for standard output", param, ctx)
        return str(value)


OUTPUT = OutputFile()


def files_of(location: str) -> list[Path]:
    """The files of data on this machine that hold annotations."""
    path = Path(location)
    return [path, path / "instances.json", *path.glob("*.tar")]


def floats(count: int) -> Callable[..., Any]:
    """A click callback that reads ``count`` numbers separated by commas, or several times that."""

    def parse(_: click.Context, __: click.Parameter, value: str | tuple[str, ...] | None) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            return _numbers(value, count)
        return tuple(_numbers(each, count) for each in value)

    return parse


def _numbers(text: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise click.BadParameter(f"give {count} numbers separated by commas, not {text!r}")
    return numbers


def say(message: str) -> None:
    """A line for people, on standard error: standard output is for results."""
    click.echo(message, err=True)


def _current(_: click.Context, __: click.Parameter, value: str) -> str:
    """Names from when there was one network (or several, separated by commas), as they are now."""
    names = value.split(",")
    for name in names:
        if name in DEPRECATED:
            say(f"--weights {name} is deprecated: it is {DEPRECATED[name]} now")
    return ",".join(DEPRECATED.get(name, name) for name in names)


@contextlib.contextmanager
def leaving_out(strict: bool) -> Iterator[Problems]:
    """Where to note what is left out of the data; what was not said yet is said in the end."""
    from picosam2.data.problems import Problems

    problems = Problems(strict)
    try:
        yield problems
    finally:
        problems.say()


def check_clicks(
    points: Sequence[object], others: Sequence[object], boxes: Sequence[object], mask: Path | None
) -> None:
    """See that clicks say what object they are about.

    Raises:
        InputError: they do not.
    """
    if (points or others or mask) and len(boxes) > 1:
        raise InputError("clicks are about one object: give one --box with them")
    if others and not points and not boxes and mask is None:
        raise InputError("--not alone does not say where the object is: give a --point too")


strict_option = click.option(
    "--strict", is_flag=True, help="Refuse the first broken photograph or object."
)
exif_option = click.option(
    "--exif",
    type=click.Choice(["auto", "ignore"]),
    default="auto",
    show_default=True,
    help="auto turns photographs that are annotated upright as EXIF says; ignore turns none.",
)
point_option = click.option(
    "--point",
    "points",
    multiple=True,
    callback=floats(2),
    metavar="X,Y",
    help="A click on the object, in pixels; again for further clicks on it.",
)
not_option = click.option(
    "--not",
    "others",
    multiple=True,
    callback=floats(2),
    metavar="X,Y",
    help="A click on what is not part of the object, after the clicks on it.",
)
boxes_option = click.option(
    "--box",
    "boxes",
    multiple=True,
    callback=floats(4),
    metavar="X0,Y0,X1,Y1",
    help="A box around an object; again for each further object. With clicks, one.",
)
range_option = click.option(
    "--range",
    "value_range",
    callback=floats(2),
    metavar="LOW,HIGH",
    help="The values that become black and white.  [default: by the depth of each image]",
)
weights_option = click.option(
    "--weights",
    default=DEFAULT_MODEL,
    show_default=True,
    callback=_current,
    help=f"{', '.join(BUNDLED)} (in the package), or a file by picosam2 train or export.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINES]),
    help="What runs the network; auto is the fastest that is installed.  "
    "[default: the one that the weights' file was made for]",
)
threads_option = click.option(
    "--threads", type=NATURAL, default=0, show_default="all cores", help="CPU threads."
)
