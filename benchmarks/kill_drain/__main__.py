"""`python -m benchmarks.kill_drain`."""

import sys

from benchmarks.kill_drain.cli import main

if __name__ == "__main__":
    sys.exit(main())
