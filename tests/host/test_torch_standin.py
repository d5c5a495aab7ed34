"""The stand-in for torch does what torch does. Runs where the real torch is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from paths import HELPERS

FILE = HELPERS / "torch_standin" / "torch.py"
pytestmark = pytest.mark.skipif(
    torch.__file__ == str(FILE), reason="torch itself is not installed (the extra `test-torch`)"
)


@pytest.fixture(scope="module")
def standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("standin", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grid() -> np.ndarray:
    return np.random.default_rng(1).random((2, 3, 4), np.float32)


# What is done with torch or a tensor, and must give the same.
SAME: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda torch: torch.zeros(1, 2, 3),
    "full": lambda torch: torch.full((1, 2), 0.5),
    "arange": lambda torch: torch.arange(256, dtype=torch.uint8),
    "expand": lambda torch: torch.full((1, 2, 1), 0.5).expand(1, 2, 3),
    "from_numpy": lambda torch: torch.from_numpy(grid()),
    "float": lambda torch: torch.arange(4, dtype=torch.uint8).float() / 255,
    "one": lambda torch: torch.from_numpy(grid())[0],
    "a new axis": lambda torch: torch.from_numpy(grid())[None],
    "a part": lambda torch: torch.from_numpy(grid())[0, :2],
    "iteration": lambda torch: list(torch.from_numpy(grid()))[1],
    "arithmetic": lambda torch: 255 * (torch.from_numpy(grid()) - torch.full((4,), 0.5)) * 2,
    "abs": lambda torch: (torch.from_numpy(grid()) - torch.full((4,), 0.5)).abs(),
    "round": lambda torch: torch.from_numpy(np.float32([0.5, 1.5, 2.4])).round(),
    "unique": lambda torch: torch.from_numpy(np.float32([2, 1, 2])).unique(),
    "max": lambda torch: torch.from_numpy(grid()).max(),
    "less": lambda torch: torch.from_numpy(grid()) < 0.5,
    "detach, cpu": lambda torch: torch.from_numpy(grid()).detach().cpu(),
}


@pytest.mark.parametrize("do", SAME.values(), ids=SAME)
def test_it_gives_what_torch_gives(standin: ModuleType, do: Callable[[Any], Any]) -> None:
    real, ours = do(torch), do(standin)
    assert (tuple(real.shape), real.ndim) == (ours.shape, ours.ndim)
    assert real.numpy().dtype == ours.numpy().dtype == ours.dtype
    assert real.tolist() == ours.tolist()


@pytest.mark.parametrize("dim", [None, (0, 1), (0, 1, 2)])
def test_a_mean_is_that_of_torch(standin: ModuleType, dim: Any) -> None:
    real, ours = (module.from_numpy(grid()).mean(dim=dim) for module in (torch, standin))
    assert ours.numpy() == pytest.approx(real.numpy(), rel=1e-5)


# What torch refuses, or warns of.
REFUSED: dict[str, Callable[[Any], Any]] = {
    "a list": lambda torch: torch.from_numpy([1.0]),
    "backwards": lambda torch: torch.from_numpy(grid()[::-1]),
    "read only": lambda torch: torch.from_numpy(np.broadcast_to(np.float32(1), (2, 2))),
    "the truth of several": lambda torch: bool(torch.zeros(2)),
    "the length of one": lambda torch: len(torch.zeros(1).max()),
    "the mean of integers": lambda torch: torch.arange(4, dtype=torch.uint8).mean(),
}


@pytest.mark.parametrize("do", REFUSED.values(), ids=REFUSED)
def test_it_refuses_what_torch_refuses(standin: ModuleType, do: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as real:
        do(torch)
    with pytest.raises(real.type):
        do(standin)


def test_memory_is_shared_with_numpy(standin: ModuleType) -> None:
    for module in (torch, standin):
        array = grid()
        tensor = module.from_numpy(array)
        array[0, 0, 0] = 7
        assert tensor[0, 0, 0].tolist() == 7
        assert np.shares_memory(tensor.numpy(), array)


def test_it_has_nothing_that_torch_has_not(standin: ModuleType) -> None:
    own = {"annotations", "warnings", "Any", "Iterator", "np"}
    for mine, theirs in ((standin, torch), (standin.Tensor, torch.Tensor)):
        assert {name for name in vars(mine) if not name.startswith("_")} - own <= set(dir(theirs))


def test_equal(standin: ModuleType) -> None:
    for module in (torch, standin):
        assert module.equal(module.zeros(2), module.zeros(2))
        assert not module.equal(module.zeros(2), module.zeros(3))
        assert not module.equal(module.zeros(2), module.full((2,), 1.0))
