from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.config import (
    SETTINGS,
    Address,
    Config,
    ConfigError,
    RateLimit,
    load_config,
    parse_address,
    parse_duration,
)


def wrong(flags: dict[str, str], environ: dict[str, str] | None = None, file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(flags, environ or {}, file)
    return str(caught.value)


def test_the_defaults_need_nothing_set() -> None:
    config = load_config({}, {})
    assert config == Config()
    assert str(config.listen) == "127.0.0.1:7443"
    assert config.store_address == "sqlite:cartsync-data/cartsync.sqlite"
    assert config.control_listen is None


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('listen = "127.0.0.1:1"\ndata_dir = "from-file"\nlog_level = "error"\n')
    environ = {"CARTSYNC_LISTEN": "127.0.0.1:2", "CARTSYNC_DATA_DIR": "from-env", "CARTSYNC_RATE_LIMIT": ""}
    config = load_config({"listen": "127.0.0.1:3", "data_dir": None}, environ, file)
    assert (config.listen.port, config.data_dir, config.log_level) == (3, Path("from-env"), "error")


def test_every_setting_has_its_flag_and_its_variable() -> None:
    assert {setting.flag: setting.variable for setting in SETTINGS} == {
        "--listen": "CARTSYNC_LISTEN",
        "--control-listen": "CARTSYNC_CONTROL_LISTEN",
        "--control-secret": "CARTSYNC_CONTROL_SECRET",
        "--data-dir": "CARTSYNC_DATA_DIR",
        "--store": "CARTSYNC_STORE",
        "--catalog": "CARTSYNC_CATALOG",
        "--promotions": "CARTSYNC_PROMOTIONS",
        "--auth": "CARTSYNC_AUTH",
        "--tls-cert": "CARTSYNC_TLS_CERT",
        "--tls-key": "CARTSYNC_TLS_KEY",
        "--log-level": "CARTSYNC_LOG_LEVEL",
        "--shutdown-grace": "CARTSYNC_SHUTDOWN_GRACE",
        "--rate-limit": "CARTSYNC_RATE_LIMIT",
        "--payment-rate-limit": "CARTSYNC_PAYMENT_RATE_LIMIT",
        "--max-calls": "CARTSYNC_MAX_CALLS",
        "--max-streams": "CARTSYNC_MAX_STREAMS",
        "--profiles": "CARTSYNC_PROFILES",
        "--replay-window": "CARTSYNC_REPLAY_WINDOW",
        "--outcome-retention": "CARTSYNC_OUTCOME_RETENTION",
        "--queue-retention": "CARTSYNC_QUEUE_RETENTION",
    }


def test_values_become_what_they_say() -> None:
    config = load_config(
        {
            "listen": "[::1]:0",
            "auth": "tokens:/etc/cartsync/tokens",
            "rate_limit": "600/60s",
            "shutdown_grace": "1.5s",
            "store": "sqlite:/var/lib/x.sqlite",
            "payment_rate_limit": "off",
            "max_calls": "7",
            "profiles": "watch, core,watch",
        },
        {},
    )
    assert config.listen == Address("::1", 0)
    assert str(config.listen) == "[::1]:0"
    assert config.tokens_file == Path("/etc/cartsync/tokens")
    assert config.rate_limit == RateLimit(600, timedelta(minutes=1))
    assert config.shutdown_grace == timedelta(seconds=1.5)
    assert config.payment_rate_limit is None
    assert config.max_calls == 7
    assert config.profiles == ("core", "watch")
    assert load_config({"profiles": "all"}, {}).profiles == Config().profiles
    assert config.control_state_path == "/var/lib/x.sqlite.control"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"listen": "7443"}, "--listen '7443': must be HOST:PORT"),
        ({"listen": "127.0.0.1:65536"}, "must be HOST:PORT"),
        ({"listen": ":7443"}, "must be HOST:PORT"),
        ({"listen": ""}, "--listen: is empty"),
        ({"store": "postgres://x"}, "must be sqlite:PATH"),
        ({"auth": "none"}, "must be insecure or tokens:FILE"),
        ({"log_level": "loud"}, "must be one of debug, info, warning, error"),
        ({"shutdown_grace": "10"}, "must be a number with unit"),
        ({"rate_limit": "0/1s"}, "must be COUNT/DURATION"),
        ({"rate_limit": "5/0s"}, "needs a period above zero"),
        ({"max_calls": "0"}, "--max-calls '0': must be a whole number from 1"),
        ({"max_streams": "many"}, "--max-streams 'many': must be a whole number"),
        ({"profiles": "core,wishes"}, "--profiles 'core,wishes': must be all, or names"),
        ({"profiles": "watch"}, "--profiles 'watch': must list core"),
        ({"replay_window": "71h"}, "--replay-window: the specification's floor is 72h"),
        ({"replay_window": "30d"}, "--outcome-retention: must be 24h or more above"),
        ({"queue_retention": "399d"}, "--queue-retention: the specification's floor is 400d"),
        ({"tls_cert": "a.pem"}, "--tls-cert and --tls-key go together"),
    ],
)
def test_a_wrong_value_names_the_setting_the_problem_and_the_way_out(flags: dict[str, str], said: str) -> None:
    assert said in wrong(flags)


def test_a_wrong_variable_is_named_as_the_variable() -> None:
    assert wrong({}, {"CARTSYNC_LISTEN": "x"}).startswith("CARTSYNC_LISTEN 'x'")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "[::]", "example.com", "localhost.example.com"])
def test_insecure_mode_refuses_to_listen_beyond_loopback(host: str) -> None:
    assert "--auth insecure" in wrong({"listen": f"{host}:7443"})
    assert load_config({"listen": f"{host}:7443", "auth": "tokens:t"}, {}).listen.port == 7443


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_insecure_mode_listens_on_loopback(host: str) -> None:
    assert load_config({"listen": f"{host}:7443"}, {}).tokens_file is None


def test_the_control_listener_needs_a_secret_beyond_loopback() -> None:
    assert "needs a secret" in wrong({"control_listen": "0.0.0.0:7444"})
    config = load_config({"control_listen": "0.0.0.0:7444"}, {"CARTSYNC_CONTROL_SECRET": "longer-than-eight"})
    assert config.control_listen == Address("0.0.0.0", 7444)


def test_the_control_listener_is_not_the_public_one() -> None:
    assert "is the public listener" in wrong({"control_listen": "127.0.0.1:7443"})


def test_the_secret_is_in_no_message_and_no_repr() -> None:
    assert "sesame open" not in wrong({"control_secret": "sesame open"})
    assert "longer-than-eight" not in repr(load_config({"control_secret": "longer-than-eight"}, {}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen = [", "is not TOML"),
        ("lissen = '127.0.0.1:1'", "lissen: is no setting"),
        ("shutdown_grace = 10", "must be a text in quotes"),
        ('auth = "tokens:a\\u0000b"', "server.toml: auth: holds a NUL"),
        ("x = " + "[" * 100_000, "nested too deep"),
        ("listen = 'x'", "server.toml: listen 'x': must be HOST:PORT"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(text)
    assert said in wrong({}, file=file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in wrong({}, file=tmp_path / "none.toml")


@given(st.text(max_size=40))
def test_no_text_makes_an_address_or_a_duration_fail_otherwise_than_as_wrong_value(text: str) -> None:
    for parse in (parse_address, parse_duration):
        complaint = "must be"
        try:
            parse(text)
        except ValueError as error:
            complaint = str(error)
        assert "must be" in complaint


@given(st.integers(0, 65_535))
def test_an_address_reads_back_as_it_is_written(port: int) -> None:
    for host in ("127.0.0.1", "::1", "cart.example.com"):
        assert parse_address(str(Address(host, port))) == Address(host, port)
