"""Files that people write for this room, and those written for them: a fault in one is one message that names it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from oo_sim.errors import GeneratorInputError

M = TypeVar("M", bound=BaseModel)


def read_text(path: Path, kind: str = "") -> str:
    """The text of a file, which `kind` says what it is. Raises `GeneratorInputError`."""
    name = f"{kind} {path}".strip()
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise GeneratorInputError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GeneratorInputError(f"{name}: is not UTF-8 text") from None


def read_yaml(text: str, model: type[M], name: str) -> M:
    """The model in a YAML (or JSON) text called `name`. Raises `GeneratorInputError`, which names the field."""
    try:
        return model.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        raise GeneratorInputError(f"{name}: is not YAML: {' '.join(str(error).split())[:200]}") from None
    except ValidationError as error:
        raise invalid(name, error, "the file") from None


def invalid(name: str, error: ValidationError, whole: str) -> GeneratorInputError:
    """What is wrong first, and in which field; `whole` is what to call that where it is in none."""
    return GeneratorInputError(f"{name}: {first_problem(error, whole)}")


def first_problem(error: ValidationError, whole: str = "") -> str:
    """The first thing that is wrong, after its field, or `whole` where it is in none."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg'].removeprefix('Value error, ')}"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises `GeneratorInputError`."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise GeneratorInputError(f"{path}: cannot be written: {error.strerror}") from None
