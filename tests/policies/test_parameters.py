"""What a policy may be given: ranges, kinds, names, and what is said about anything else."""

from __future__ import annotations

import math

import pytest

from oo_sim.policies import ALIASES, POLICIES, UnknownPolicyError, factory, make

OUT_OF_RANGE = [
    ("linucb", "alpha", -0.1),
    ("linucb", "alpha", math.nan),
    ("linucb", "alpha", math.inf),
    ("linucb", "alpha", "high"),
    ("linucb", "alpha", True),
    ("linucb", "alpha", None),
    ("linucb", "prior", 9.9e-5),
    ("linucb", "prior", 0.0),
    ("linucb", "prior", math.inf),
    ("egreedy", "epsilon", -1e-9),
    ("egreedy", "epsilon", 1.1),
    ("egreedy", "epsilon", math.nan),
    ("egreedy", "decay", -1.0),
    ("egreedy", "decay", 1e308),
    ("egreedy", "prior", 1e-5),
    ("greedy", "prior", -1.0),
    ("softmax", "temperature", 0.0),
    ("softmax", "temperature", -1.0),
    ("softmax", "prior", 0),
    ("thompson", "scale", -0.5),
    ("thompson", "scale", 1e308),
    ("thompson", "samples", 0),
    ("thompson", "samples", 1001),
    ("thompson", "samples", 2.0),
    ("thompson", "samples", True),
    ("thompson", "prior", 1e-5),
]


@pytest.mark.parametrize(("name", "parameter", "value"), OUT_OF_RANGE)
def test_what_is_out_of_range_is_refused_by_name(name: str, parameter: str, value: object) -> None:
    """The message names policy, parameter and value, and what would be right."""
    with pytest.raises(UnknownPolicyError) as refused:
        make(name, {parameter: value})
    message = str(refused.value)
    assert message.startswith(f"policy {name}: {parameter} must be a ")
    assert repr(value) in message
    assert "\n" not in message


def test_the_smallest_prior_is_1e_4() -> None:
    assert make("linucb", {"prior": 1e-4}).parameters["prior"] == 1e-4
    with pytest.raises(UnknownPolicyError, match=r"from 0\.0001"):
        make("linucb", {"prior": math.nextafter(1e-4, 0)})


@pytest.mark.parametrize(
    ("name", "meant"), [("linucbb", "linucb"), ("epsgreedy", "egreedy"), ("Thompson", "thompson"), ("orcale", "oracle")]
)
def test_an_unknown_policy_gets_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(UnknownPolicyError, match=f"no policy '{name}'; did you mean {meant}"):
        factory(name)


def test_where_nothing_is_near_all_names_are_given() -> None:
    with pytest.raises(UnknownPolicyError, match="choose one of " + ", ".join(POLICIES)):
        make("zzz")


@pytest.mark.parametrize(("name", "key", "meant"), [("linucb", "alhpa", "alpha"), ("egreedy", "eps", "epsilon")])
def test_an_unknown_parameter_gets_a_suggestion(name: str, key: str, meant: str) -> None:
    with pytest.raises(UnknownPolicyError, match=f"no parameter '{key}'; did you mean {meant}"):
        make(name, {key: 1.0})


def test_an_unknown_parameter_of_a_policy_without_any() -> None:
    with pytest.raises(UnknownPolicyError, match="policy random has no parameter 'alpha'; it takes none"):
        make("random", {"alpha": 1.0})


def test_unknown_features_are_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownPolicyError, match=r"no features 'oo6'.*oo5, oo7, oo7x"):
        make("linucb", {"features": "oo6"})
    with pytest.raises(UnknownPolicyError, match="no features 'oo7' here; there are raw"):
        make("linucb", {"features": "oo7"}, {"raw": make("linucb").features})


def test_aliases_are_the_same_policy() -> None:
    for alias, name in ALIASES.items():
        assert factory(alias) is POLICIES[name].factory


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_parameters_build_the_policy_again(name: str) -> None:
    first = make(name)
    again = make(first.name, dict(first.parameters))
    assert again.parameters == first.parameters
    assert (again.name, again.features.name, again.features.names) == (
        first.name,
        first.features.name,
        first.features.names,
    )
