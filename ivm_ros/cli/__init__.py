"""The command line `ivm-ros`: one module per command, imported when it is called."""

from ivm_ros.cli.app import main

__all__ = ["main"]
