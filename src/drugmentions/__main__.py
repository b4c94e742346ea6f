"""The command's entry: the one place where errors become exit codes."""

import gc
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from drugmentions.cli import app
from drugmentions.cli.narrate import narrator
from drugmentions.errors import DrugmentionsError, ExitCode


class _Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that it leaves no half-made file behind."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: `ExitCode` lists the codes. A bug keeps its traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(arguments, prog_name="drugmentions", standalone_mode=False)
        gc.freeze()  # or the interpreter looks through all there is for garbage, a tenth of a second long, as it ends
    except DrugmentionsError as error:
        narrator.error(str(error), error.hint)
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except _Terminated:
        code = ExitCode.TERMINATED
    except MemoryError:
        narrator.error("out of memory; what was published before stays", "give it more, or fewer --threads")
        code = ExitCode.FAILED
    except Exception as error:
        usage = _usage_error(error)
        if usage is None:
            raise
        narrator.error(*usage)
        code = ExitCode.USAGE
    sys.exit(int(code or 0))


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _usage_error(error: Exception) -> tuple[str, str] | None:
    """Message and hint of a mistake in the command line, None for any other error."""
    text = getattr(error, "format_message", None)
    if text is None or not hasattr(error, "exit_code"):
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "drugmentions"
    return text().rstrip("."), f"see `{command} --help`"


if __name__ == "__main__":
    main()
