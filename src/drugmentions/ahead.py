"""Work on several things at a time, and hand the results on in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    most: int,
    weigh: Callable[[_Item], int] = lambda _item: 0,
    limit: int = 0,
) -> Iterator[_Result]:
    """Results of `work` in the order of the items; `most` are made at a time, or fewer that weigh `limit` together.

    An item that weighs more is worked on alone. No result waits beside these, so they bound the memory.
    """
    with ThreadPoolExecutor(most) as pool:
        pending: deque[tuple[Future[_Result], int]] = deque()
        for item in items:
            weight = weigh(item)
            while pending and (len(pending) == most or weight + sum(held for _, held in pending) > limit):
                yield pending.popleft()[0].result()
            pending.append((pool.submit(work, item), weight))
            del item  # or it waits here while the next is made
        while pending:
            yield pending.popleft()[0].result()
