"""The first line that each worker is told: all that it needs to know.

``sync/description.py`` and ``drill/__main__.py`` read them.
"""

from __future__ import annotations

from pathlib import Path

from smc_tui.engine.context import Context
from smc_tui.engine.worker import Document
from smc_tui.model import schedule
from smc_tui.model.options import Config
from smc_tui.model.things import Job, JobSettings, Run, Source
from smc_tui.model.units import rfc3339


def synchronisation(
    context: Context, job: Job, run: Run, source: Source, created: float
) -> Document:
    """Return what a run's worker is told; its image is of the instant ``created``."""
    settings = job.settings
    return {
        "home": str(context.home.path),
        "job": job.id,
        "run": run.id,
        "image": run.image_id,
        "image_name": run.image_name,
        "kind": str(run.kind),
        "source": _source(source),
        "limit_mbit": settings.limit_mbit,
        "compression": compression_level(settings.compression),
        "link_bps": source.link_bps,
        "created": rfc3339(created),
        "instant": str(settings.instant),
        "hooks": _hooks(settings),
        "full_comparison": schedule.full_comparison(
            run.kind, _earlier(context, run), context.config.full_comparison_every
        ),
        "continues": not (job.completing or settings.once),
        "retry": _retry(context.config),
    }


def drill(context: Context, job: Job, source: Source) -> Document:
    """Return what a drill's worker is told."""
    return {
        "home": str(context.home.path),
        "job": job.id,
        "at": rfc3339(context.clock.now()),
        "keep": job.settings.keep,
        "once": job.settings.once,
        "limit_mbit": job.settings.limit_mbit,
        "source": _source(source),
    }


def visit(context: Context, job: Job, source: Source) -> Document:
    """Return what a worker is told that asks a source what was written since the last run."""
    return {
        "do": "visit",
        "home": str(context.home.path),
        "job": job.id,
        "source": _source(source),
        # What only a run has: none is made.
        **dict.fromkeys(("run", "image", "image_name", "kind", "created"), ""),
        "limit_mbit": job.settings.limit_mbit,
        "compression": 0,
        "link_bps": source.link_bps,
    }


def tidying(source: Source, home: Path) -> Document:
    """Return what a worker is told that takes away what a job left on its source."""
    return {"do": "tidy", "home": str(home), "source": _source(source)}


def _source(source: Source) -> Document:
    ssh = source.ssh
    return {
        "id": source.id,
        "name": source.name,
        "ssh": ssh
        and {
            "target": ssh.target,
            "port": ssh.port,
            "config": ssh.config,
            "alias": source.id,
        },
        "disks": [
            {
                "index": disk.index,
                "path": disk.path,
                "size": disk.size,
                "identity": disk.identity,
                "role": disk.role,
            }
            for disk in source.disks
        ],
    }


def _hooks(settings: JobSettings) -> Document:
    return {
        "before_freeze": list(settings.before_freeze) or None,
        "after_thaw": list(settings.after_thaw) or None,
        "timeout": settings.hook_timeout,
    }


def _earlier(context: Context, run: Run) -> list[Run]:
    return [each for each in context.store.runs(run.job_id) if each.id != run.id]


def _retry(config: Config) -> Document:
    return {
        "attempts": config.retry_attempts,
        "first": config.retry_first_pause,
        "longest": config.retry_longest_pause,
    }


def compression_level(text: str) -> str | int:
    """Return a compression setting as workers are told it."""
    return text if text == "auto" else int(text)
