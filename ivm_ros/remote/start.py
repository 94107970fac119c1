"""Start the model's process under another Python. Run as a file, never imported.

Of the Python that runs the node, that other one gets this package alone: the folder that the package lies in
may hold a NumPy, a torch and more that are compiled for another version. In the syntax of old Pythons, so
that one of them can say what is wrong with it.
"""

import importlib.util
import os
import signal
import sys


def end_with(parent: int) -> None:
    """Let the kernel end this process with the one that started it, even while a model hangs in a call.

    Where it cannot, the end of the channel does so after the call.
    """
    try:
        import ctypes

        PR_SET_PDEATHSIG = 1  # noqa: N806 - its name in prctl(2)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass
    if os.getppid() != parent:  # it ended before
        sys.exit(1)


def import_package(folder: str) -> None:
    """Import the package in a folder, and nothing that lies beside it."""
    name = os.path.basename(folder)
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    if sys.version_info < (3, 10):  # noqa: UP036 - any Python may be named
        sys.exit("expected Python 3.10 or newer for the model, got %d.%d" % sys.version_info[:2])  # noqa: UP031
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]  # its modules have plain names
    descriptors = [int(text) for text in sys.argv[1:4]]
    end_with(parent=int(sys.argv[4]))
    import_package(os.path.dirname(here))
    from ivm_ros.remote.child import serve

    serve(*descriptors)
