"""The base of structs that hold secret state: compact on disk, silent in `repr` and in logs."""

from typing import Any

import msgspec


class SecretStruct(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Immutable, encoded as an array. Shows its type and nothing it holds."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> Any:
        return iter(())
