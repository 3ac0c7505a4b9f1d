"""Fills an empty shop: somebody who runs it, and the two kinds of product (stock counted or not).

Run by `start.py` in the shop's own environment; prints nothing.
"""

import os

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - Django wants to be set up first
from oscar.core.loading import get_model  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

clerk, _ = get_user_model().objects.get_or_create(username="clerk", email="clerk@shop.example", is_staff=True)
clerk.is_superuser = True
clerk.save()
Token.objects.filter(user=clerk).delete()
Token.objects.create(user=clerk, key=os.environ["SHOP_CLERK_TOKEN"])
for name, counted in (("counted", True), ("uncounted", False)):
    get_model("catalogue", "ProductClass").objects.get_or_create(
        name=name, slug=name, track_stock=counted, requires_shipping=False
    )
get_model("partner", "Partner").objects.get_or_create(name="Warehouse", code="warehouse")
