"""Failures: one cause out of what a group of tasks raised."""

from collections.abc import Callable


def first_cause(
    failures: BaseExceptionGroup[BaseException],
    last_resort: Callable[[BaseException], bool] = lambda failure: False,
) -> BaseException:
    """The first failure of a group, however nested; those that `last_resort` picks only if there
    is nothing else."""
    leaves = [
        first_cause(failure, last_resort) if isinstance(failure, BaseExceptionGroup) else failure
        for failure in failures.exceptions
    ]
    return min(leaves, key=last_resort)
