"""How a server is set up: one table of settings, each a flag, an environment variable and a line of a file.

A flag wins over the environment, the environment over the file, the file over the default. `SETTINGS` is the
one place where they are named; the command line and the guide's table follow it.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from reference_server.profiles import PROFILES

ENVIRONMENT_PREFIX = "CARTSYNC_"
LEVEL_NAMES = ("debug", "info", "warning", "error")

# The floors of proto/cartsync/v1/policy.proto (spec: policy/retention-floors).
MIN_REPLAY_WINDOW = timedelta(hours=72)
MIN_OUTCOME_MARGIN = timedelta(hours=24)
MIN_QUEUE_RETENTION = timedelta(days=400)


class ConfigError(Exception):
    """The server cannot be set up as asked; the message names the setting, the problem and the way out."""


@dataclass(frozen=True)
class Address:
    """Where to listen. Port 0 asks the system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. Names other than localhost are not trusted to be so."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class RateLimit:
    """At most `operation_count` operations newly decided per `period`, for each principal."""

    operation_count: int
    period: timedelta


@dataclass(frozen=True)
class Config:
    """Everything a server is told at start."""

    listen: Address = Address("127.0.0.1", 7443)
    control_listen: Address | None = None
    control_secret: str = field(default="", repr=False)
    data_dir: Path = Path("cartsync-data")
    store: str = ""  # empty: cartsync.sqlite in data_dir
    catalog: Path | None = None  # None: the demo catalogue
    promotions: Path | None = None  # None: the demo promotions
    tokens_file: Path | None = None  # None: insecure development mode
    tls_cert: Path | None = None
    tls_key: Path | None = None
    log_level: str = "info"
    shutdown_grace: timedelta = timedelta(seconds=10)
    rate_limit: RateLimit | None = None
    payment_rate_limit: RateLimit | None = RateLimit(100, timedelta(hours=1))
    max_calls: int = 128
    max_streams: int = 32
    profiles: tuple[str, ...] = PROFILES
    replay_window: timedelta = timedelta(days=7)
    outcome_retention: timedelta = timedelta(days=30)
    queue_retention: timedelta = timedelta(days=400)

    def __post_init__(self) -> None:
        _check_listeners(self)
        _check_retention(self)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("--tls-cert and --tls-key go together: give both, or neither for plaintext.")

    @property
    def store_address(self) -> str:
        """What to open: `sqlite:PATH`, or `sqlite::memory:`, which is gone when the server ends."""
        return self.store or f"sqlite:{self.data_dir / 'cartsync.sqlite'}"

    @property
    def control_state_path(self) -> str:
        """The file with the control service's own settings, beside the store; in memory when the store is."""
        place = self.store_address.removeprefix("sqlite:")
        return place if place == ":memory:" else f"{place}.control"


def _check_listeners(config: Config) -> None:
    if config.tokens_file is None and not config.listen.is_loopback:
        raise ConfigError(
            f"--listen {config.listen}: with --auth insecure anybody who can connect can be anybody, so the server"
            " listens on loopback only. Use --auth tokens:FILE, or listen on 127.0.0.1."
        )
    control = config.control_listen
    if control is not None and not control.is_loopback and not config.control_secret:
        raise ConfigError(
            f"--control-listen {control}: beyond loopback the control service needs a secret."
            " Set CARTSYNC_CONTROL_SECRET, or listen on 127.0.0.1."
        )
    if control is not None and control == config.listen and control.port != 0:
        raise ConfigError(f"--control-listen {control}: is the public listener. Choose another port.")


def _check_retention(config: Config) -> None:
    if config.replay_window < MIN_REPLAY_WINDOW:
        raise ConfigError("--replay-window: the specification's floor is 72h. Give 72h or more.")
    if config.outcome_retention < config.replay_window + MIN_OUTCOME_MARGIN:
        raise ConfigError("--outcome-retention: must be 24h or more above --replay-window. Give more.")
    if config.queue_retention < MIN_QUEUE_RETENTION:
        raise ConfigError("--queue-retention: the specification's floor is 400d. Give 400d or more.")


_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\s\[\]/]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(.+)", re.ASCII)
MAX_DURATION = timedelta(days=36_500)


def parse_address(text: str) -> Address:
    """HOST:PORT or [IPV6]:PORT, port 0 to 65535. Raises ValueError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:7443 or [::1]:7443; port 0 takes a free one")
    return Address(match["v6"] or match["host"], int(match["port"]))


def parse_duration(text: str) -> timedelta:
    """A number and one of ms, s, m, h, d: 500ms, 90s, 72h, 7d. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    duration = _UNITS[match[2]] * float(match[1]) if match and float(match[1]) < 1e9 else None
    if duration is None or duration > MAX_DURATION:
        raise ValueError("must be a number with unit, for example 500ms, 90s, 72h or 7d, at most 36500d")
    return duration


def parse_rate(text: str) -> RateLimit | None:
    """COUNT/DURATION, for example 600/60s, or off. Raises ValueError."""
    if text == "off":
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("must be COUNT/DURATION, for example 600/60s, or off")
    period = parse_duration(match[2])
    if not period:
        raise ValueError("needs a period above zero, for example 600/60s")
    return RateLimit(int(match[1]), period)


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise ValueError("must be a whole number from 1 to 999999")
    return int(text)


def _parse_profiles(text: str) -> tuple[str, ...]:
    names = PROFILES if text == "all" else tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in PROFILES:
            raise ValueError(f"must be all, or names with commas between them out of {', '.join(PROFILES)}")
    if "core" not in names:
        raise ValueError("must list core: every server has it")
    return tuple(sorted(set(names)))


def _parse_store(text: str) -> str:
    if not text.startswith("sqlite:") or len(text) == len("sqlite:"):
        raise ValueError("must be sqlite:PATH, for example sqlite:/var/lib/cartsync/cartsync.sqlite")
    return text


def _parse_auth(text: str) -> Path | None:
    if text == "insecure":
        return None
    if text.startswith("tokens:") and len(text) > len("tokens:"):
        return Path(text.removeprefix("tokens:"))
    raise ValueError("must be insecure or tokens:FILE")


def _parse_level(text: str) -> str:
    if text not in LEVEL_NAMES:
        raise ValueError(f"must be one of {', '.join(LEVEL_NAMES)}")
    return text


def _parse_secret(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{8,256}", text, re.ASCII):
        raise ValueError("must be 8 to 256 printable ASCII characters without spaces")
    return text


@dataclass(frozen=True)
class Setting:
    """One thing that can be set: `flag`, `variable` and the key in a file follow from its name."""

    name: str
    attribute: str  # of Config
    default: str  # as people write it; for the guide and --help
    metavar: str
    parse: Callable[[str], Any]
    help: str
    is_secret: bool = False

    @property
    def flag(self) -> str:
        """The command line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


SETTINGS = (
    Setting("listen", "listen", "127.0.0.1:7443", "HOST:PORT", parse_address, "Where clients connect."),
    Setting(
        "control_listen",
        "control_listen",
        "none",
        "HOST:PORT",
        parse_address,
        "Where the conformance control service listens. For tests only: it can do anything to the store.",
    ),
    Setting(
        "control_secret",
        "control_secret",
        "none",
        "TEXT",
        _parse_secret,
        "What control calls must carry as cartsync-control-secret. Better set by its variable than by its flag.",
        is_secret=True,
    ),
    Setting("data_dir", "data_dir", "cartsync-data", "DIR", Path, "Where the store lives; made when missing."),
    Setting("store", "store", "sqlite:DATA_DIR/cartsync.sqlite", "sqlite:PATH", _parse_store, "The store."),
    Setting("catalog", "catalog", "a demo catalogue", "FILE", Path, "Offers, as .csv or .json."),
    Setting("promotions", "promotions", "a demo promotion", "FILE", Path, "What coupon codes give, as .csv or .json."),
    Setting(
        "auth",
        "tokens_file",
        "insecure",
        "insecure|tokens:FILE",
        _parse_auth,
        "How callers are known. insecure takes `Bearer dev:NAME` for anybody, on loopback only.",
    ),
    Setting("tls_cert", "tls_cert", "none", "FILE", Path, "Certificate chain in PEM; plaintext without."),
    Setting("tls_key", "tls_key", "none", "FILE", Path, "The certificate's key in PEM."),
    Setting("log_level", "log_level", "info", "|".join(LEVEL_NAMES), _parse_level, "Least level that is logged."),
    Setting(
        "shutdown_grace",
        "shutdown_grace",
        "10s",
        "DURATION",
        parse_duration,
        "How long calls may take to finish once the server was told to stop.",
    ),
    Setting(
        "rate_limit",
        "rate_limit",
        "off",
        "COUNT/DURATION",
        parse_rate,
        "Most operations newly decided for one principal, for example 600/60s.",
    ),
    Setting(
        "payment_rate_limit",
        "payment_rate_limit",
        "100/1h",
        "COUNT/DURATION",
        parse_rate,
        "Most payment methods newly saved for one principal, or off.",
    ),
    Setting(
        "max_calls",
        "max_calls",
        "128",
        "COUNT",
        _parse_count,
        "Most calls of one principal that are answered at a time; more end with RESOURCE_EXHAUSTED.",
    ),
    Setting(
        "max_streams",
        "max_streams",
        "32",
        "COUNT",
        _parse_count,
        "Most streams (Sync and WatchCart) among those calls.",
    ),
    Setting(
        "profiles",
        "profiles",
        "all",
        "NAMES",
        _parse_profiles,
        "Profiles the server has, core among them; the intents and calls of others are refused.",
    ),
    Setting(
        "replay_window", "replay_window", "7d", "DURATION", parse_duration, "Oldest operation decided; 72h or more."
    ),
    Setting(
        "outcome_retention",
        "outcome_retention",
        "30d",
        "DURATION",
        parse_duration,
        "How long outcome records are kept; 24h or more above the replay window.",
    ),
    Setting(
        "queue_retention",
        "queue_retention",
        "400d",
        "DURATION",
        parse_duration,
        "How long a queue's watermark is kept after its last contact; 400d or more.",
    ),
)


def load_config(flags: Mapping[str, str | None], environ: Mapping[str, str], file: Path | None = None) -> Config:
    """Put the settings together: flags by setting name, then the environment, then the TOML file.

    An empty environment variable counts as not set. Raises ConfigError for the first wrong value.
    """
    lines = _read_file(file)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        flag, variable = flags.get(setting.name), environ.get(setting.variable)
        if flag is not None:
            values[setting.attribute] = _parse(setting, flag, setting.flag)
        elif variable:
            values[setting.attribute] = _parse(setting, variable, setting.variable)
        elif setting.name in lines:
            values[setting.attribute] = _parse(setting, lines[setting.name], f"{file}: {setting.name}")
    return Config(**values)


def _parse(setting: Setting, text: str, place: str) -> object:
    if not text:
        raise ConfigError(f"{place}: is empty. Leave it out, or give {setting.metavar}.")
    if "\0" in text:
        raise ConfigError(f"{place}: holds a NUL character, which no setting does. Take it out.")
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "" if setting.is_secret else f" {text[:100]!r}"
        raise ConfigError(f"{place}{shown}: {error}.") from None


def _read_file(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {file}: cannot be read ({error.strerror}). Give a readable file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {file}: is not TOML ({error}). Mend it there.") from None
    except RecursionError:
        raise ConfigError(f"--config {file}: is nested too deep for settings, which are one line each.") from None
    known = {setting.name for setting in SETTINGS}
    for name, value in document.items():
        if name not in known:
            raise ConfigError(f"{file}: {name}: is no setting. The settings are {', '.join(sorted(known))}.")
        if not isinstance(value, str):
            raise ConfigError(f'{file}: {name}: must be a text in quotes, as its flag takes it: {name} = "…".')
    return document
