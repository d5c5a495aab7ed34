"""Volcano Engine Ark: Ark in China."""

from __future__ import annotations

from ._ark import ArkWithAssets
from ._ark_limits import limits


class VolcEngine(ArkWithAssets):
    """Volcano Engine Ark, region cn-beijing. No price is known for 4k."""

    id = "volcengine"
    name = "Volcano Engine Ark"
    key_variable = "ARK_API_KEY"
    key_page = "https://console.volcengine.com/ark/region:ark+cn-beijing/apiKey"
    default_base_url = "https://ark.cn-beijing.volces.com/api/v3"
    default_asset_url = "https://ark.cn-beijing.volcengineapi.com"
    asset_key_variables = ("VOLC_ACCESSKEY", "VOLC_SECRETKEY")
    asset_region = "cn-beijing"
    asset_callback = "https://www.volcengine.com/"
    limits = limits("doubao")
    currency = "CNY"
    prices_as_of = "2026-10-25, reported"
    prices = {
        "seedance-2.0": {"480p": (46.0, 28.0), "720p": (46.0, 28.0), "1080p": (51.0, 31.0)},
        "seedance-2.0-fast": {"480p": (37.0, 22.0), "720p": (37.0, 22.0)},
        "seedance-2.0-mini": {"480p": (23.0, 14.0), "720p": (23.0, 14.0)},
        "seedance-2.5": {"480p": (70.0, 42.0), "720p": (70.0, 42.0), "1080p": (77.0, 46.0)},
    }
