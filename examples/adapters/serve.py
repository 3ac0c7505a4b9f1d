"""Serves the adapter of one shop, and its control service: `python -m examples.adapters.serve django_oscar …`."""

from __future__ import annotations

import argparse
import os

from examples.adapters import carts, control
from examples.adapters.carts import Shop
from examples.adapters.control import Administration, OscarAdministration, VendureAdministration
from examples.adapters.django_oscar.adapter import DjangoOscar
from examples.adapters.vendure.adapter import Vendure


def main() -> None:
    """Serve until killed; the clerk's secret comes from the environment, SHOP_CLERK_TOKEN."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", choices=("django_oscar", "vendure"))
    parser.add_argument("--url", required=True, help="where the shop listens, like http://127.0.0.1:8000")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--control", required=True, metavar="HOST:PORT")
    given = parser.parse_args()
    secret = os.environ["SHOP_CLERK_TOKEN"]
    shop: Shop
    administration: Administration
    if given.shop == "django_oscar":
        shop, administration = DjangoOscar(given.url), OscarAdministration(given.url, secret)
    else:
        shop, administration = Vendure(given.url), VendureAdministration(given.url, secret)
    beside = control.server(administration, given.control)
    beside.start()
    front = carts.server(shop, given.listen)
    front.start()
    front.wait_for_termination()


if __name__ == "__main__":
    main()
