"""Python imports this at its start in every process that the tests start: see ``codes``."""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

MODULE = "smc_tui.model.errors"


class Finder(MetaPathFinder):
    """Has the one class of errors recorded as soon as it is there, at no cost before."""

    def find_spec(self, name, path=None, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        plain = spec.loader.exec_module

        def exec_module(module):
            plain(module)
            record(module.SmcError)

        spec.loader.exec_module = exec_module
        return spec


def record(error):
    """Have every error write its code down when the program itself makes it."""
    folder = os.environ["SMC_TUI_TEST_CODES"]
    plain, seen, texts = error.__init__, set(), {}

    def is_origin(code, path):
        # What reads a code out of a message or a row has no such text of its own;
        # the reading program on the source has, but is no module over here.
        if "/smc_tui/" not in path or "/tests/" in path:
            return False
        if path not in texts:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123
                texts[path] = file.read()
        return f'"{code}"' in texts[path] or path.endswith("/source/client.py")

    def init(self, code, *args, **facts):
        plain(self, code, *args, **facts)
        if code not in seen and is_origin(code, sys._getframe(1).f_code.co_filename):
            seen.add(code)
            # One file a code: any number of processes may write at once.
            open(os.path.join(folder, code), "w").close()  # noqa: PTH118, PTH123

    error.__init__ = init


if "SMC_TUI_TEST_CODES" in os.environ:
    sys.meta_path.insert(0, Finder())
