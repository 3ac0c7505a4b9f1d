from __future__ import annotations

from pathlib import Path

import pytest

from reference_server.catalog import load_catalog
from reference_server.config import SETTINGS, Setting
from reference_server.credentials import load_tokens
from reference_server.demo_payment import DEMO_TOKENS, DemoPaymentProvider
from reference_server.promotions import load_promotions

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "reference-server.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_guide_has_a_row_for_every_setting_as_it_is(setting: Setting) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{setting.flag}` |"))
    assert f"| `{setting.variable}` |" in row
    assert setting.default in row
    assert setting.help.replace("|", "\\|") in row


def test_the_guides_catalogue_loads(tmp_path: Path) -> None:
    lines = [line.strip() for line in GUIDE.splitlines() if line.startswith("    ")]
    start = lines.index("sku,currency,unit_price_minor,listed,available_quantity")
    file = tmp_path / "catalog.csv"
    file.write_text("\n".join(lines[start : start + 3]))
    assert len(load_catalog(file)) == 2


def test_the_guides_promotions_are_the_example_and_load() -> None:
    example = ROOT / "examples" / "promotions.csv"
    assert "".join(f"    {line}\n" for line in example.read_text(encoding="utf-8").splitlines()) in GUIDE
    assert len(load_promotions(example)) == 2


@pytest.mark.parametrize("token", DEMO_TOKENS)
def test_the_guide_tells_the_demo_tokens_as_they_are(token: str) -> None:
    details = DemoPaymentProvider().details("ann", "demo", token)
    assert details is not None
    told = f"({details.brand}, {details.last_four}, {details.expiry_month}/{details.expiry_year})"
    assert f"`{token}` {told}" in GUIDE.replace("\n", " ")


def test_the_example_tokens_load() -> None:
    assert len(load_tokens(ROOT / "examples" / "tokens")) == 3
