"""Puts the site together: stage the pages, have them rendered, finish what the generator left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conformance.requirements import load
from tools.diagrams.stories import duties
from tools.site.finishing import finish
from tools.site.staging import StagingError, stage

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"


class BuildError(Exception):
    """The site cannot be built; the message says why."""


def build(site: Path = SITE) -> int:
    """Write the site to `site`, replacing what was there; the number of its pages.

    Raises BuildError with the generator's words when it fails.
    """
    source = site.with_name(site.name + "-source")
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(site, ignore_errors=True)
    register = load(ROOT / "docs" / "spec")
    try:
        config = stage(ROOT, source, register)
    except StagingError as error:
        raise BuildError(str(error)) from error
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--config-file", str(config)],
        cwd=source,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not (source / "site" / "index.html").is_file():
        raise BuildError(f"zensical failed (exit code {done.returncode}):\n{done.stdout}{done.stderr}")
    shutil.move(source / "site", site)
    return finish(site, register, duties(ROOT / "docs" / "spec").values())
