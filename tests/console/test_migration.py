"""The Server Migration page by its keys."""

from __future__ import annotations

from tests.console.driver import opened


async def test_all_jobs_and_idle_sources_stand_there(night):
    async with opened(night) as console:
        await console.sees("web01-1", "db-primary-1", "ldap-1", "no job", "engine up")
        print(console.text)
