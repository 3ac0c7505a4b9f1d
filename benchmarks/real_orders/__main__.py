"""`python -m benchmarks.real_orders`."""

from benchmarks.real_orders.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
