"""Which page shows what an action that only shows something shows.

Each page is imported when it is opened: a console starts without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smc_tui.model.actions import ActionId
from smc_tui.model.things import Job

if TYPE_CHECKING:
    from textual.screen import Screen

    from smc_tui.console.shell import Shell


def page(action: ActionId, job: Job, console: Shell) -> Screen[Any] | None:
    """Return the page that shows it; None: there is none, the command line shows it.

    Raises:
        SmcError: JobStore.*, ReplicationJob.NotFound.
    """
    match action:
        case ActionId.TROUBLESHOOT:
            from smc_tui.console.screens.troubleshoot import TroubleshootScreen

            return TroubleshootScreen(job)
        case ActionId.VIEW_REPORT:
            from smc_tui.console.screens.report import report_page

            return report_page(console.store, job)
        case ActionId.VIEW_DRILL:
            from smc_tui.console.screens.report import DrillScreen

            return DrillScreen(job)
    return None
