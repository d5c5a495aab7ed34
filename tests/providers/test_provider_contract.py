"""Every provider passes every check of the contract."""

from __future__ import annotations

import provider_contract
import pytest
import wire_player

from seedance import providers


@pytest.mark.parametrize("check", provider_contract.CHECKS)
@pytest.mark.parametrize("provider_id", providers.ids())
def test_a_provider_keeps_the_contract(provider_id: str, check: str) -> None:
    exchanges = wire_player.exchanges_of(provider_id)
    provider_contract.CHECKS[check](providers.get(provider_id), exchanges)
