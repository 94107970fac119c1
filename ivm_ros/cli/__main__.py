"""`python -m ivm_ros.cli` is `ivm-ros`."""

from ivm_ros.cli import main

if __name__ == "__main__":
    main()
