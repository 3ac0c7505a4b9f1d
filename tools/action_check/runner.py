"""Goes through the steps of a composite action as a runner does: environment, files, conditions, outputs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tools.action_check.commands import Annotation, CommandReader, file_values
from tools.action_check.expressions import Expressions

_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")


class ActionError(ValueError):
    """The action does something that cannot be checked here, or that it must not do."""


@dataclass
class Job:
    """What a job has done so far, and in the end."""

    workspace: Path
    temp: Path
    artifacts: Path
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    reader: CommandReader = field(default_factory=CommandReader)
    failed: bool = False
    exit_code: int = 0  # of the first step that failed
    ran: list[str] = field(default_factory=list)  # names of the steps that ran

    @property
    def annotations(self) -> list[Annotation]:
        """In the order printed."""
        return self.reader.annotations


def load(action: Path) -> dict[str, Any]:
    """Read an action; raises ActionError when a script holds an expression, through which text becomes code."""
    content: dict[str, Any] = yaml.safe_load(action.read_text(encoding="utf-8"))
    for step in content["runs"]["steps"]:
        if "${{" in step.get("run", ""):
            raise ActionError(f"the script of step {_name(step)!r} holds an expression: hand values on by env")
    return content


def run(
    action: Path,
    inputs: Mapping[str, str],
    *,
    workspace: Path,
    temp: Path,
    environment: Mapping[str, str],
    replaced: Mapping[str, Mapping[str, str]] | None = None,
    log: Callable[[str], None] = print,
) -> Job:
    """Run the steps of `action`, as if in a job with this workspace.

    `environment` is what the job's own steps have set. Steps named in `replaced` by their id do not run, but have these
    outputs. `log` gets every line that a log would show.
    """
    content = load(action)
    if unknown := set(inputs) - set(content["inputs"]):
        raise ActionError(f"the action has no input {', '.join(sorted(unknown))}")
    job = Job(workspace, temp, temp / "artifacts")
    contexts: dict[str, Any] = {
        "inputs": {name: inputs.get(name, str(said.get("default", ""))) for name, said in content["inputs"].items()},
        "steps": {},
    }
    env = {**environment, "GITHUB_ACTIONS": "true", "CI": "true", "RUNNER_TEMP": str(temp)}
    env |= {"GITHUB_WORKSPACE": str(workspace), "GITHUB_ACTION_PATH": str(action.parent.resolve())}
    for number, step in enumerate(content["runs"]["steps"]):
        expressions = Expressions(contexts, failed=job.failed)
        if not expressions.condition(str(step.get("if", ""))):
            continue
        log(f"--- {_name(step)}")
        job.ran.append(_name(step))
        identity = step.get("id", f"step-{number}")
        if replaced and identity in replaced:
            outputs = dict(replaced[identity])
        elif "uses" in step:
            outputs = _use(step, expressions, job, log)
        else:
            outputs = _run_script(step, expressions, job, env, log)
        contexts["steps"][identity] = {"outputs": outputs}
    job.outputs = {
        name: Expressions(contexts).filled_in(said["value"]) for name, said in content.get("outputs", {}).items()
    }
    return job


def _run_script(
    step: Mapping[str, Any], expressions: Expressions, job: Job, env: dict[str, str], log: Callable[[str], None]
) -> dict[str, str]:
    if step.get("shell") != "bash":
        raise ActionError(f"step {_name(step)!r} must say `shell: bash`")
    script = job.temp / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    files = {name: job.temp / name for name in _FILES}
    for file in files.values():
        file.write_text("", encoding="utf-8")
    own = {name: expressions.filled_in(str(value)) for name, value in step.get("env", {}).items()}
    process = subprocess.Popen(
        [*_BASH, str(script)],
        cwd=job.workspace,
        env={**env, **own, **{name: str(file) for name, file in files.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if not job.reader.read(line.rstrip("\n")):
            log(line.rstrip("\n"))
    code = process.wait()
    job.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    env |= file_values(files["GITHUB_ENV"].read_text(encoding="utf-8"))
    if code != 0:
        log(f"Process completed with exit code {code}.")
        job.exit_code = job.exit_code or code
        job.failed = True
    return file_values(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))


def _use(step: Mapping[str, Any], expressions: Expressions, job: Job, log: Callable[[str], None]) -> dict[str, str]:
    """Stand in for the actions that this one uses."""
    name, _, revision = str(step["uses"]).partition("@")
    if len(revision) != 40 or not all(digit in "0123456789abcdef" for digit in revision):
        raise ActionError(f"{name} is not pinned to a commit")
    given = {key: expressions.filled_in(str(value)) for key, value in step.get("with", {}).items()}
    match name:
        case "actions/setup-python":
            log(f"(in place of Python {given['python-version']}: {sys.executable})")
            return {"python-path": sys.executable}
        case "actions/upload-artifact":
            source, kept = job.workspace / given["path"], job.artifacts / given["name"]
            if source.exists():
                shutil.copytree(source, kept, dirs_exist_ok=True)
                log(f"(kept in {kept}: {', '.join(sorted(os.listdir(kept)))})")
            return {}
        case _:
            raise ActionError(f"{name} cannot be stood in for")


def _name(step: Mapping[str, Any]) -> str:
    return str(step.get("name") or step.get("uses") or step.get("id"))
