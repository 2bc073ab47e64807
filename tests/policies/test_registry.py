"""Private policies by `module:factory`: found, made, or refused with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from oo_sim.policies import UnknownPolicyError, make

SOURCE = """
from oo_sim.policies import make

VALUE = 3

def mine(alpha: float = 2.0):
    return make("linucb", {"alpha": alpha})._replace(name="mine")

def broken():
    raise RuntimeError("no licence")

def nothing():
    return None

class Shop:
    class Policies:
        pass
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "private_shop.py").write_text(SOURCE)
    (tmp_path / "private_ruin.py").write_text("1 / 0\n")
    (tmp_path / "private_typo.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_private_policy_is_made_with_its_parameters() -> None:
    assert make("private_shop:mine").parameters["alpha"] == 2.0
    assert make("private_shop:mine", {"alpha": 0.5}).parameters["alpha"] == 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:mine", "cannot import no_such_module"),
        ("private_shop:none", "module private_shop has no 'none'"),
        ("private_shop:VALUE", "VALUE is int, not a Python function that makes a Policy"),
        ("private_shop:broken", r"raised RuntimeError: no licence \(private_shop\.py, line 10\)"),
        ("private_shop:nothing", "returned NoneType, not a Policy"),
        ("private_ruin:mine", r"importing private_ruin raised ZeroDivisionError: .* \(private_ruin\.py, line 1\)"),
        ("private_typo:mine", "importing private_typo raised SyntaxError"),
        (":mine", "policy :mine"),
        ("private_shop:", "policy private_shop:"),
    ],
)
def test_what_is_no_policy_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownPolicyError, match=message):
        make(name)


@pytest.mark.parametrize("name", ["builtins:dict", "builtins:min"])
def test_a_callable_without_signature_is_refused(name: str) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy {name}"):
        make(name)
