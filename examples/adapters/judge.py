"""Installs the two shops, starts them, and lets the conformance suite judge them: `make adapters`.

Everything goes below build/adapters: a virtual environment for django-oscar (and PostgreSQL, which comes as a wheel), a
node_modules for Vendure, one PostgreSQL cluster, logs and reports. What was installed before is used again; databases
are new each time. All listeners are on loopback, and all that was started is stopped at the end.
"""

# ruff: noqa: S603, S607 - it runs what this folder and the two shops' packages bring

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it can be run as a script

from examples.adapters.summary import summary

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "adapters"
SHOPS = ("django_oscar", "vendure")
START_SECONDS = 120.0


def main() -> int:
    """Judge one shop or both; returns 0 when the suite came to a verdict on each, whatever it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="SHOP", help=f"of {', '.join(SHOPS)}; both unless named")
    parser.add_argument("--serve", action="store_true", help="start the shops and adapters, and wait for Ctrl-C")
    parser.add_argument("--suite", default="--budget fast", help="arguments for the suite [default: %(default)s]")
    given = parser.parse_args()
    if unknown := [name for name in given.shops if name not in SHOPS]:
        parser.error(f"there is no shop {unknown[0]!r}; the shops are {', '.join(SHOPS)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    verdicts = []
    with contextlib.ExitStack() as running:
        database_port = running.enter_context(_postgres(_python_environment()))
        for name in given.shops or SHOPS:
            target, control = running.enter_context(_shop(name, database_port))
            if given.serve:
                print(f"{name}: --target {target} --control {control}", flush=True)
            else:
                verdicts.append(_judge(name, target, control, given.suite.split()))
        if given.serve:
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)
    return 0 if all(code in (0, 1, 5) for code in verdicts) else 4


def _judge(name: str, target: str, control: str, arguments: Sequence[str]) -> int:
    reports = BUILD / "reports" / name
    suite = [
        str(Path(sys.executable).with_name("cartsync-conformance")),
        "run",
        "--target",
        target,
        "--control",
        control,
    ]
    code = subprocess.run([*suite, "--report-dir", str(reports), *arguments], check=False).returncode
    if (reports / "report.json").exists():
        (reports / "result.md").write_text(summary(reports))
        print(f"In short: {reports / 'result.md'}", flush=True)
    return code


def _python_environment() -> Path:
    """The environment of django-oscar and PostgreSQL, made where it is missing or its lock file is newer."""
    home, lock = BUILD / "venv", HERE / "django_oscar" / "requirements.lock"
    done = home / ".installed"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        print("Installing django-oscar …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
        done.touch()
    return home


def _node_folder() -> Path:
    """The folder of Vendure, made where it is missing or its lock file is newer."""
    home = BUILD / "vendure"
    done = home / ".installed"
    if not done.exists() or done.stat().st_mtime < (HERE / "vendure" / "package-lock.json").stat().st_mtime:
        print("Installing Vendure …", flush=True)
        home.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "vendure" / name, home / name)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=home, check=True)
        done.touch()
    shutil.copy(HERE / "vendure" / "shop.js", home / "shop.js")
    return home


@contextlib.contextmanager
def _postgres(environment: Path) -> Iterator[int]:
    """A PostgreSQL with its ordinary settings on a port of its own; as root it runs as nobody, as it insists."""
    programs = next(environment.glob("lib/python*/site-packages/pgserver/pginstall/bin"))
    who = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="cartsync-adapters-") as folder:
        if who:
            shutil.chown(folder, who["user"])
        data, port = f"{folder}/data", _free_port()
        initdb = [str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "shop", "-E", "UTF8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **who)  # type: ignore[call-overload]
        listen = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with _process("postgres", [str(programs / "postgres"), "-D", data, "-p", str(port), *listen], os.environ, who):
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            _wait("postgres", lambda: subprocess.run(ready, check=False).returncode == 0)
            for name in SHOPS:
                createdb = [str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "shop", name]
                subprocess.run(createdb, check=True)
            yield port


@contextlib.contextmanager
def _shop(name: str, database_port: int) -> Iterator[tuple[str, str]]:
    """A shop with its adapter; yields the addresses of the cart service and of the control service."""
    port, target, control = _free_port(), f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    environment = {
        **os.environ,
        "SHOP_SECRET": secrets.token_hex(16),
        "SHOP_CLERK_TOKEN": secrets.token_hex(16),
        "SHOP_DATABASE": name,
        "SHOP_DATABASE_PORT": str(database_port),
        "SHOP_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    start = {"django_oscar": _start_oscar, "vendure": _start_vendure}[name]
    with contextlib.ExitStack() as running:
        home = _node_folder() if name == "vendure" else BUILD
        running.enter_context(_process(name, *start(port, environment), folder=home))
        _wait(name, lambda: _answers(f"{url}/api/" if name == "django_oscar" else f"{url}/health"))
        serve = [sys.executable, "-m", "examples.adapters.serve", name, "--url", url]
        adapter = [*serve, "--listen", target, "--control", control]
        running.enter_context(_process(f"{name}-adapter", adapter, environment, folder=ROOT))
        _wait(f"{name}-adapter", lambda: _listens(target))
        yield target, control


def _start_oscar(port: int, environment: dict[str, str]) -> tuple[list[str], Mapping[str, str]]:
    programs = BUILD / "venv" / "bin"
    environment |= {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(HERE / "django_oscar")}
    for task in (["django", "migrate", "-v0"], ["shop.seed"]):
        subprocess.run([str(programs / "python"), "-m", *task], env=environment, check=True)
    serve = ["--workers", "2", "--threads", "8", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    command = [str(programs / "gunicorn"), *serve, "django.core.wsgi:get_wsgi_application()"]
    return command, environment


def _start_vendure(port: int, environment: dict[str, str]) -> tuple[list[str], Mapping[str, str]]:
    del port  # the shop reads it from its environment
    return ["node", "shop.js"], environment


@contextlib.contextmanager
def _process(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    who: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[None]:
    """A process with its log in build/adapters, stopped when the block ends."""
    with (BUILD / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # type: ignore[call-overload]
            command, env=environment, stdout=log, stderr=log, cwd=folder, **(who or {})
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(name: str, ready: object) -> None:
    assert callable(ready)
    until = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise SystemExit(f"{name} did not come up in {START_SECONDS:.0f} s; see {BUILD / name}.log")
        time.sleep(0.25)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _listens(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    raise SystemExit(main())
