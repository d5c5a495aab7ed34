"""A stand-in for torch over NumPy, for machines without it: no more of torch than the nodes and
their tests use, with the same names, types and refusals.

conftest.py puts this folder at the end of the path, so that the real torch is used where it is
installed. test_torch_standin.py compares the two.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

__version__ = "stand-in over NumPy"

float32 = np.dtype(np.float32)
uint8 = np.dtype(np.uint8)


class Tensor:
    """Numbers of one type in a grid. Has none of NumPy's methods that torch has not."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    # ------------------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return map(Tensor, self._array)

    def __getitem__(self, index: Any) -> Tensor:
        return Tensor(self._array[index])

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(self._array)

    def numel(self) -> int:
        return self._array.size

    def tolist(self) -> Any:
        return self._array.tolist()

    # --------------------------------------------------------------- to NumPy, other types, shapes

    def numpy(self) -> np.ndarray:
        return self._array

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self._array.astype(np.float32, copy=False))

    def reshape(self, *shape: int) -> Tensor:
        return Tensor(self._array.reshape(shape))

    def expand(self, *shape: int) -> Tensor:
        return Tensor(np.broadcast_to(self._array, shape))

    # -------------------------------------------------------------------------------- arithmetic

    def __sub__(self, other: Tensor | int | float) -> Tensor:  # type: ignore[valid-type]
        return Tensor(self._array - _plain(other))

    def __mul__(self, other: Tensor | int | float) -> Tensor:  # type: ignore[valid-type]
        return Tensor(self._array * _plain(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Tensor | int | float) -> Tensor:  # type: ignore[valid-type]
        return Tensor(self._array / _plain(other))

    def __lt__(self, other: Tensor | int | float) -> Tensor:  # type: ignore[valid-type]
        return Tensor(self._array < _plain(other))

    def abs(self) -> Tensor:
        return Tensor(np.abs(self._array))

    def round(self) -> Tensor:
        return Tensor(np.round(self._array))

    def unique(self) -> Tensor:
        return Tensor(np.unique(self._array))

    def max(self) -> Tensor:
        return Tensor(self._array.max())

    def mean(self, dim: tuple[int, ...] | None = None) -> Tensor:
        if self._array.dtype != float32:
            raise RuntimeError("mean(): input dtype should be either floating point or complex")
        return Tensor(self._array.mean(axis=dim, dtype=np.float32))


def _plain(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor over the memory of `array`."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    if any(stride < 0 for stride in array.strides):
        raise ValueError("At least one stride in the given numpy array is negative")
    if not array.flags.writeable:
        warnings.warn("The given NumPy array is not writable", UserWarning, stacklevel=2)
    return Tensor(array)


def zeros(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.float32))


def full(shape: tuple[int, ...], value: float) -> Tensor:
    return Tensor(np.full(shape, value, np.float32))


def rand(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng().random(shape, np.float32))


def arange(end: int, dtype: np.dtype[Any]) -> Tensor:
    return Tensor(np.arange(end, dtype=dtype))


def equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and the same values."""
    return np.array_equal(one._array, other._array)
