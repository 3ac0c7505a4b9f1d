"""How stubs are generated, compiled and run in each language. Versions are read from the projects' own pins."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "stubs"
WORK = ROOT / "build" / "stubs-check"

_MAVEN = ("mvn", "-q", "-ntp", "-B", "-Dstyle.color=never")


@dataclass(frozen=True)
class Need:
    """A program that has to be there, and what to do when it is not."""

    program: str
    remedy: str


@dataclass(frozen=True)
class Language:
    """One language: the project `examples/stubs/NAME` and what is done in its copy, in order."""

    name: str
    title: str
    generator: str
    """What makes the stubs, with versions."""
    runtime: str
    """What the stubs were compiled and run with, with versions."""
    program: str
    """The small program, relative to the project."""
    needs: tuple[Need, ...]
    build: tuple[tuple[str, ...], ...]
    """Commands that generate and compile."""
    generated: str
    """Glob of the files that were generated and compiled, relative to the copy."""
    run: tuple[str, ...]
    """Command that runs the program; `{address}` and `{token}` are filled in."""


def _go(package: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(package)} v(\S+)", _text("go/go.mod"), re.MULTILINE)
    return _known(found, package)


def _npm(package: str) -> str:
    lock = json.loads(_text("typescript/package-lock.json"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def _cargo(package: str) -> str:
    lock = tomllib.loads(_text("rust/Cargo.lock"))
    return str(next(entry["version"] for entry in lock["package"] if entry["name"] == package))


def _maven(project: str, property_name: str) -> str:
    found = re.search(rf"<{re.escape(property_name)}>([^<]+)</", _text(f"{project}/pom.xml"))
    return _known(found, property_name)


def _text(path: str) -> str:
    return (EXAMPLES / path).read_text(encoding="utf-8")


def _known(found: re.Match[str] | None, what: str) -> str:
    if found is None:
        raise LookupError(f"{what} is pinned nowhere in {EXAMPLES}")
    return found[1]


def _python(package: str) -> str:
    return metadata.version(package)


def languages() -> tuple[tuple[Language, ...], ...]:
    """All languages, in lanes: those of one lane share a cache that only one of them may write at a time."""
    maven = Need("mvn", "install Maven (Debian: apt-get install maven)")
    java = Need("javac", "install a JDK, 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)")
    grpc_cpp = "install gRPC for C++ (Debian: apt-get install libgrpc++-dev protobuf-compiler-grpc)"
    exec_java = (*_MAVEN, "exec:java", "-Dexec.args={address} {token}")
    grpc_java, protobuf_java = _maven("java", "grpc.version"), _maven("java", "protobuf.version")
    return (
        (
            Language(
                name="java",
                title="Java",
                generator=f"protobuf-maven-plugin 3.10.3, protoc {protobuf_java}, protoc-gen-grpc-java {grpc_java}",
                runtime=f"protobuf-java {protobuf_java}, grpc-java {grpc_java}",
                program="src/main/java/FirstCart.java",
                needs=(java, maven),
                build=((*_MAVEN, "compile"),),
                generated="target/generated-sources/protobuf/**/*.java",
                run=exec_java,
            ),
            Language(
                name="kotlin",
                title="Kotlin",
                generator=(
                    f"protobuf-maven-plugin 3.10.3, protoc {_maven('kotlin', 'protobuf.version')}, "
                    f"protoc-gen-grpc-kotlin {_maven('kotlin', 'grpc-kotlin.version')}"
                ),
                runtime=(
                    f"Kotlin {_maven('kotlin', 'kotlin.version')}, "
                    f"protobuf-kotlin {_maven('kotlin', 'protobuf.version')}, "
                    f"grpc-kotlin {_maven('kotlin', 'grpc-kotlin.version')}"
                ),
                program="src/main/kotlin/FirstCart.kt",
                needs=(java, maven),
                build=((*_MAVEN, "compile"),),
                generated="target/generated-sources/protobuf/**/*.*",
                run=exec_java,
            ),
            Language(
                name="python",
                title="Python",
                generator=f"grpcio-tools {_python('grpcio-tools')}, mypy-protobuf {_python('mypy-protobuf')}",
                runtime=f"protobuf {_python('protobuf')}, grpcio {_python('grpcio')}",
                program="first_cart.py",
                needs=(),
                build=(
                    (sys.executable, str(ROOT / "tools" / "build_stubs.py"), "gen"),
                    (sys.executable, "-m", "compileall", "-q", "gen"),
                    (sys.executable, "-m", "mypy", "--strict", "--config-file=", "first_cart.py"),
                ),
                generated="gen/**/*_pb2*.py",
                run=(sys.executable, "first_cart.py", "{address}", "{token}"),
            ),
        ),
        (
            Language(
                name="rust",
                title="Rust",
                generator=f"tonic-prost-build {_cargo('tonic-prost-build')}, protoc of grpcio-tools",
                runtime=f"prost {_cargo('prost')}, tonic {_cargo('tonic')}",
                program="src/main.rs",
                needs=(Need("cargo", "install Rust, 1.88 or newer: https://rustup.rs"),),
                build=(("cargo", "build", "--quiet", "--locked", "--jobs", "2"),),
                generated="target/debug/build/first-cart-*/out/cartsync*.rs",
                run=("target/debug/first-cart", "{address}", "{token}"),
            ),
            Language(
                name="cpp",
                title="C++",
                generator="buf, protoc 3.21.12, grpc_cpp_plugin 1.51.1",
                runtime="libprotobuf 3.21.12, libgrpc++ 1.51.1 (Debian 12)",
                program="first_cart.cc",
                needs=(
                    Need("c++", "install a C++ compiler (Debian: apt-get install g++)"),
                    Need("cmake", "install CMake (Debian: apt-get install cmake)"),
                    Need("pkg-config", "install pkg-config (Debian: apt-get install pkg-config)"),
                    Need("protoc", grpc_cpp),
                    Need("grpc_cpp_plugin", grpc_cpp),
                ),
                build=(
                    ("buf", "generate"),
                    ("cmake", "-S", ".", "-B", "out", "--log-level=WARNING"),
                    ("cmake", "--build", "out", "--parallel", "2"),
                ),
                generated="gen/**/*.cc",
                run=("out/first-cart", "{address}", "{token}"),
            ),
            Language(
                name="go",
                title="Go",
                generator=(
                    f"buf, protoc-gen-go {_go('google.golang.org/protobuf')}, "
                    f"protoc-gen-go-grpc {_go('google.golang.org/grpc/cmd/protoc-gen-go-grpc')}"
                ),
                runtime=f"protobuf {_go('google.golang.org/protobuf')}, grpc {_go('google.golang.org/grpc')}",
                program="main.go",
                needs=(Need("go", "install Go, 1.26 or newer: https://go.dev/dl"),),
                build=(
                    ("buf", "generate"),
                    ("go", "build", "-p", "2", "./gen/..."),
                    ("go", "build", "-o", "first-cart"),
                ),
                generated="gen/**/*.go",
                run=("./first-cart", "{address}", "{token}"),
            ),
            Language(
                name="typescript",
                title="TypeScript",
                generator=f"buf, protoc-gen-es {_npm('@bufbuild/protoc-gen-es')}",
                runtime=(
                    f"protobuf-es {_npm('@bufbuild/protobuf')}, connect-node {_npm('@connectrpc/connect-node')}, "
                    f"TypeScript {_npm('typescript')}"
                ),
                program="main.ts",
                needs=(
                    Need("node", "install Node.js, 20 or newer: https://nodejs.org"),
                    Need("npm", "install npm, it comes with Node.js: https://nodejs.org"),
                ),
                build=(
                    ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent"),
                    ("buf", "generate"),
                    ("node_modules/.bin/tsc",),
                ),
                generated="gen/**/*.ts",
                run=("node", "dist/main.js", "{address}", "{token}"),
            ),
        ),
    )
