"""A farm with a fake provider, PostgreSQL and an S3 service on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fakes
import postgres
import pytest
from bucket import Bucket
from farm_stage import Farm


@pytest.fixture(scope="session")
def farm_database() -> Iterator[str]:
    """A database that the tests have in turn."""
    pytest.importorskip("procrastinate", reason="procrastinate (the extra `farm`) is not installed")
    with postgres.server() as url:
        yield postgres.create_database(url, "farm")


@pytest.fixture
def farm(farm_database: str, tmp_path: Path) -> Iterator[Farm]:
    """A farm at Lumenfall."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake, Bucket(tmp_path) as bucket:
        yield Farm(fake, farm_database, bucket, tmp_path)
