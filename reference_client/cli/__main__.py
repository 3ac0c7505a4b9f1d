"""`python -m reference_client.cli` is `cartsync`."""

from reference_client.cli import main

main()
