"""Exit statuses of commands that were ended from outside, as a shell counts signals.

Imports nothing: ``main`` needs them when ^C comes while Python is still reading modules.
"""

from __future__ import annotations

#: Ended by ^C.
INTERRUPTED = 130

#: Ended by a closed pipe.
PIPE_CLOSED = 141
