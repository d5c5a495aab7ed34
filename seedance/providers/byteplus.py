"""BytePlus ModelArk: Ark outside China."""

from __future__ import annotations

from ._ark import ArkWithAssets
from ._ark_limits import limits


class BytePlus(ArkWithAssets):
    """BytePlus ModelArk, region ap-southeast-1."""

    id = "byteplus"
    name = "BytePlus ModelArk"
    key_variable = "BYTEPLUS_API_KEY"
    key_page = "https://console.byteplus.com/ark/region:ark+ap-southeast-1/apiKey"
    default_base_url = "https://ark.ap-southeast.bytepluses.com/api/v3"
    default_asset_url = "https://ark.ap-southeast-1.byteplusapi.com"
    asset_key_variables = ("BYTEPLUS_ACCESS_KEY_ID", "BYTEPLUS_SECRET_ACCESS_KEY")
    asset_region = "ap-southeast-1"
    asset_callback = "https://www.byteplus.com/"
    limits = limits("dreamina")
    currency = "USD"
    prices_as_of = "2026-07-31"  # what is reported of 2026-10-09 is the same
    prices = {
        "seedance-2.0": {
            "480p": (7.0, 4.3),
            "720p": (7.0, 4.3),
            "1080p": (7.7, 4.7),
            "4k": (4.0, 2.4),
        },
        "seedance-2.0-fast": {"480p": (5.6, 3.3), "720p": (5.6, 3.3)},
        "seedance-2.0-mini": {"480p": (3.5, 2.1), "720p": (3.5, 2.1)},
        "seedance-2.5": {"480p": (10.7, 6.4), "720p": (10.7, 6.4), "1080p": (11.7, 7.0)},
    }
