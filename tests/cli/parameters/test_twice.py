import pytest

from lrface.cli.parameters.arguments import Parser
from lrface.cli.parameters.compose import free_overrides
from lrface.cli.parameters.twice import refuse_twice
from lrface.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loss.l1=1 seed=3 loss.l1=2", "loss.l1=1 and loss.l1=2"),
        ("loss.l1=1 +loss.l1=2", "loss.l1=1 and loss.l1=2"),
        ("++loss.l1=1 loss.l1=1.0", "loss.l1=1 and loss.l1=1.0"),
        ("data=folder data=pack", "data=folder and data=pack"),
        ("optim={lr:1} optim.lr=2", "optim={lr:1} and optim.lr=2"),
        ("optim.lr=2 optim={lr:1}", "optim={lr:1} and optim.lr=2"),
        ("loss.l1=1,2 loss.l1=3,4", "loss.l1=1,2 and loss.l1=3,4"),
    ],
)
def test_a_key_with_two_values_is_refused(text, told):
    with pytest.raises(ConfigError) as caught:
        refuse_twice(free_overrides(text))
    assert f"got {told}; expected each key once" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "a=1 b=1", "a=1 a=1", "data=folder data.source=/x", "~a a=1", "optim={lr:1} optimum=2", "a.b=1 a.bc=2"]
)
def test_keys_that_are_set_once_pass(text):
    refuse_twice(free_overrides(text))


def parser():
    made = Parser(allow_abbrev=False)
    made.add_argument("--epochs")
    made.add_argument("--seed")
    return made


@pytest.mark.parametrize("words", [["--epochs", "1", "--epochs", "2"], ["--epochs=1", "--seed", "3", "--epochs", "2"]])
def test_a_parameter_with_two_values_is_refused(words):
    with pytest.raises(ConfigError, match="got --epochs twice, '1' and '2'"):
        parser().parse_args(words)


def test_a_parameter_that_is_the_value_of_another_is_no_second_one():
    given = parser().parse_args(["--epochs=--seed=1", "--seed", "2"])
    assert (given.epochs, given.seed) == ("--seed=1", "2")
    assert parser().parse_args(["--epochs", "1", "--epochs", "1"]).epochs == "1"
