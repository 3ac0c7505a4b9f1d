"""The guides say what is so: the programs they quote are those that run, and their tables are those of the tools."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import textwrap

import cartsync.v1
import pytest
from google.protobuf.descriptor import MethodDescriptor

from tools.stubs_check.languages import EXAMPLES, LANES, ORDER, ROOT, Language, languages
from tools.stubs_check.table import as_markdown

GUIDE = (ROOT / "docs" / "guides" / "generate-stubs.md").read_text(encoding="utf-8")
BROWSERS = (ROOT / "docs" / "guides" / "browsers.md").read_text(encoding="utf-8")
LANGUAGES = tuple(languages().values())
QUOTE = re.compile(
    r"^From \[`[^`]+`\]\(\.\./\.\./(?P<path>[^)]+)\):\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)

each_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)


def test_the_guides_table_names_what_the_projects_pin() -> None:
    assert as_markdown(LANGUAGES) in GUIDE, "python -m tools.stubs_check --markdown prints the table as it should be"


def test_every_language_is_built_in_one_lane_and_none_is_left_out() -> None:
    assert tuple(language.name for language in LANGUAGES) == ORDER
    assert sorted(name for lane in LANES for name in lane) == sorted(ORDER)
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == sorted(ORDER)


@each_language
def test_the_guide_has_a_section_that_quotes_the_program_which_is_run(language: Language) -> None:
    section = re.search(rf"^## {re.escape(language.title)}$(.*?)^## ", GUIDE, re.MULTILINE | re.DOTALL)
    assert section is not None
    quote = QUOTE.search(section[1])
    assert quote is not None
    file = EXAMPLES / language.name / language.program
    assert ROOT / quote["path"] == file
    program = textwrap.dedent(file.read_text(encoding="utf-8"))
    indents = ("", "\t", "  ", "    ", "        ")
    assert any(textwrap.indent(quote["text"], indent) in program for indent in indents), "the quote is not the program"
    called = quote["text"].replace("_", "").lower()
    assert all(call in called for call in ("getsyncpolicy", "sync(", "getcart"))


@each_language
def test_a_project_takes_the_whole_of_proto_and_names_no_file_of_it(language: Language) -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in (EXAMPLES / language.name).iterdir()
        if path.is_file() and path.suffix not in {".lock", ".sum"}
    }
    names = [path.name for path in (ROOT / "proto").rglob("*.proto")]
    assert [(path.name, name) for path, text in texts.items() for name in names if name in text] == []
    if language.name != "python":
        assert any("../../../proto" in text for text in texts.values())


@each_language
def test_a_buf_template_needs_no_plugin_from_afar(language: Language) -> None:
    template = EXAMPLES / language.name / "buf.gen.yaml"
    assert template.is_file() == (("buf", "generate") in language.build)
    if template.is_file():
        text = template.read_text(encoding="utf-8")
        assert "remote:" not in text
        assert re.search(r"^  - (local|protoc_builtin): ", text, re.MULTILINE)


def test_the_package_lock_has_digests_and_no_address_but_the_public_registrys() -> None:
    lock = json.loads((EXAMPLES / "typescript" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert entry.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")


def test_continuous_integration_requires_the_four_languages_that_have_to_run() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    required = re.search(r"stubs-check .*--require ([\w,]+)", script)
    assert required is not None
    assert {"go", "java", "typescript", "rust"} <= set(required[1].split(","))


def test_the_old_anchor_leads_to_the_guide() -> None:
    certify = (ROOT / "docs" / "guides" / "certify-your-server.md").read_text(encoding="utf-8")
    section = re.search(r"^## Stubs$(.*?)^## ", certify, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert "(generate-stubs.md)" in section[1]


def every_call() -> list[MethodDescriptor]:
    modules = [module.name for module in pkgutil.iter_modules(cartsync.v1.__path__) if module.name.endswith("_pb2")]
    files = [importlib.import_module(f"cartsync.v1.{name}").DESCRIPTOR for name in modules]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def kind(method: MethodDescriptor) -> str:
    if method.client_streaming:
        return "streams both ways" if method.server_streaming else "streams to the server"
    return "streams from the server" if method.server_streaming else "unary"


def test_the_browser_guide_says_of_every_call_what_kind_it_is_and_whether_a_browser_has_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| ([\w ]+) \| (yes|no)", BROWSERS, re.MULTILINE)
    said = {(service, call): (kind_said, answer) for service, call, kind_said, answer in rows}
    assert said == {
        (method.containing_service.name, method.name): (kind(method), "no" if method.client_streaming else "yes")
        for method in every_call()
    }


def test_sync_is_the_only_call_that_a_browser_cannot_make() -> None:
    assert [method.name for method in every_call() if method.client_streaming] == ["Sync"]
