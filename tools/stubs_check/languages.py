"""How stubs are generated, compiled and run in each language."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tools.stubs_check import pins
from tools.stubs_check.pins import EXAMPLES, ROOT

WORK = ROOT / "build" / "stubs-check"

__all__ = ["EXAMPLES", "LANES", "ORDER", "ROOT", "WORK", "Language", "Need", "languages"]


@dataclass(frozen=True)
class Need:
    """A program that has to be there, and what to do when it is not."""

    program: str
    remedy: str
    probe: tuple[str, ...] = ()
    """Arguments with which the program must end well besides."""


@dataclass(frozen=True)
class Language:
    """One language: the project `examples/stubs/NAME` and what is done in its copy, in order."""

    name: str
    title: str
    generator: str
    """What makes the stubs, with versions."""
    runtime: str
    """What the stubs are compiled and run with, with versions."""
    program: str
    """The small program, relative to the project."""
    needs: tuple[Need, ...]
    build: tuple[tuple[str, ...], ...]
    """Commands that generate and compile."""
    generated: str
    """Glob of the files that are generated and compiled, relative to the copy."""
    run: tuple[str, ...]
    """Command that runs the program; `{address}` and `{token}` are filled in."""


ORDER = ("go", "java", "kotlin", "typescript", "rust", "cpp", "python")
"""As people read them."""

LANES = (("java", "kotlin", "python"), ("rust", "cpp", "go", "typescript"))
"""As they are built, two at a time. Java and Kotlin share Maven's repository, which is no place for two at once."""


def languages() -> dict[str, Language]:
    """All of them by name, in reading order. Raises `LookupError` when a project pins no version of what it needs."""
    return {
        language.name: language for language in (_go(), _java(), _kotlin(), _typescript(), _rust(), _cpp(), _python())
    }


_BUF = ("buf", "generate")


def _go() -> Language:
    plugins = pins.go("google.golang.org/protobuf"), pins.go("google.golang.org/grpc/cmd/protoc-gen-go-grpc")
    return Language(
        name="go",
        title="Go",
        generator=f"{_buf()}, protoc-gen-go {plugins[0]}, protoc-gen-go-grpc {plugins[1]}",
        runtime=f"protobuf {pins.go('google.golang.org/protobuf')}, grpc {pins.go('google.golang.org/grpc')}",
        program="main.go",
        needs=(Need("go", "install Go, 1.26 or newer: https://go.dev/dl"),),
        build=(_BUF, ("go", "build", "-p", "2", "./gen/..."), ("go", "build", "-p", "2", "-o", "first-cart")),
        generated="gen/**/*.go",
        run=("./first-cart", "{address}", "{token}"),
    )


_MAVEN = ("mvn", "-q", "-ntp", "-B")
_MAVEN_NEEDS = (
    Need("javac", "install a JDK, 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)"),
    Need("mvn", "install Maven (Debian: apt-get install maven)"),
)


def _java() -> Language:
    return Language(
        name="java",
        title="Java",
        generator=f"{_maven_generator('java')}, protoc-gen-grpc-java {pins.maven('java', 'grpc.version')}",
        runtime=(
            f"protobuf-java {pins.maven('java', 'protobuf.version')}, grpc-java {pins.maven('java', 'grpc.version')}"
        ),
        program="src/main/java/FirstCart.java",
        needs=_MAVEN_NEEDS,
        build=((*_MAVEN, "compile"),),
        generated="target/generated-sources/protobuf/**/*.java",
        run=(*_MAVEN, "exec:java", "-Dexec.args={address} {token}"),
    )


def _kotlin() -> Language:
    protobuf, grpc = pins.maven("kotlin", "protobuf.version"), pins.maven("kotlin", "grpc-kotlin.version")
    return Language(
        name="kotlin",
        title="Kotlin",
        generator=f"{_maven_generator('kotlin')}, protoc-gen-grpc-kotlin {grpc}",
        runtime=f"Kotlin {pins.maven('kotlin', 'kotlin.version')}, protobuf-kotlin {protobuf}, grpc-kotlin {grpc}",
        program="src/main/kotlin/FirstCart.kt",
        needs=_MAVEN_NEEDS,
        build=((*_MAVEN, "-Dkotlin.compiler.daemon=false", "compile"),),  # the daemon would outlive the check
        generated="target/generated-sources/protobuf/**/*.*",
        run=(*_MAVEN, "exec:java", "-Dexec.args={address} {token}"),
    )


def _typescript() -> Language:
    return Language(
        name="typescript",
        title="TypeScript",
        generator=f"{_buf()}, protoc-gen-es {pins.npm('@bufbuild/protoc-gen-es')}",
        runtime=(
            f"protobuf-es {pins.npm('@bufbuild/protobuf')}, connect-node {pins.npm('@connectrpc/connect-node')}, "
            f"TypeScript {pins.npm('typescript')}"
        ),
        program="main.ts",
        needs=(
            Need("node", "install Node.js, 20 or newer: https://nodejs.org"),
            Need("npm", "install npm, which comes with Node.js: https://nodejs.org"),
        ),
        build=(
            ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent"),
            _BUF,
            ("node_modules/.bin/tsc",),
        ),
        generated="gen/**/*.ts",
        run=("node", "dist/main.js", "{address}", "{token}"),
    )


def _rust() -> Language:
    protoc = f"protoc of grpcio-tools {pins.python('grpcio-tools')}"
    return Language(
        name="rust",
        title="Rust",
        generator=f"tonic-prost-build {pins.cargo('tonic-prost-build')}, {protoc}",
        runtime=f"prost {pins.cargo('prost')}, tonic {pins.cargo('tonic')}",
        program="src/main.rs",
        needs=(Need("cargo", "install Rust, 1.89 or newer: https://rustup.rs"),),
        build=(("cargo", "build", "--quiet", "--locked", "--jobs", "2"),),
        generated="target/debug/build/first-cart-*/out/cartsync*.rs",
        run=("target/debug/first-cart", "{address}", "{token}"),
    )


def _cpp() -> Language:
    grpc = "install gRPC for C++ (Debian: apt-get install libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc)"
    return Language(
        name="cpp",
        title="C++",
        generator=f"{_buf()}, protoc and grpc_cpp_plugin of the system",
        runtime="Debian 12: protoc and libprotobuf 3.21.12, libgrpc++ 1.51.1",
        program="first_cart.cc",
        needs=(
            Need("c++", "install a C++ compiler (Debian: apt-get install g++)"),
            Need("cmake", "install CMake (Debian: apt-get install cmake)"),
            Need("protoc", grpc),
            Need("grpc_cpp_plugin", grpc),
            Need("pkg-config", grpc, probe=("--exists", "grpc++", "protobuf")),
        ),
        build=(
            _BUF,
            ("cmake", "-S", ".", "-B", "out", "--log-level=WARNING"),
            ("cmake", "--build", "out", "--parallel", "2"),
        ),
        generated="gen/**/*.cc",
        run=("out/first-cart", "{address}", "{token}"),
    )


def _python() -> Language:
    return Language(
        name="python",
        title="Python",
        generator=f"grpcio-tools {pins.python('grpcio-tools')}, mypy-protobuf {pins.python('mypy-protobuf')}",
        runtime=f"protobuf {pins.python('protobuf')}, grpcio {pins.python('grpcio')}",
        program="first_cart.py",
        needs=(),
        build=(
            (sys.executable, str(ROOT / "tools" / "build_stubs.py"), "gen"),
            (sys.executable, "-m", "compileall", "-q", "gen"),
            (sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "first_cart.py"),
        ),
        generated="gen/**/*_pb2*.py",
        run=(sys.executable, "first_cart.py", "{address}", "{token}"),
    )


def _buf() -> str:
    return f"buf {pins.python('buf-bin')}"


def _maven_generator(project: str) -> str:
    plugin = pins.maven(project, "protobuf-maven-plugin")
    return f"protobuf-maven-plugin {plugin}, protoc {pins.maven(project, 'protobuf.version')}"
