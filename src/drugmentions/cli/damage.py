"""Tables of an output directory that can't be read are an error of the output, not a bug."""

from collections.abc import Callable
from functools import wraps
from typing import Any


def tells_damage(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what Polars says of a damaged Parquet file into an OutputError that names the output directory."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:  # noqa: ANN401  typer's own, by name
        from polars.exceptions import ComputeError

        try:
            command(*arguments, **options)
        except ComputeError as error:
            from drugmentions.errors import OutputError

            place = options.get("out") or options.get("path")
            reason = str(error).partition("\n")[0]
            hint = "run `drugmentions run` again, and it is mended"
            raise OutputError(f"{place}: a table can't be read ({reason})", hint) from error

    return guarded
