"""`python -m conformance.cli`: the same as `cartsync-conformance`."""

from conformance.cli.main import main

if __name__ == "__main__":
    main(prog_name="cartsync-conformance")
