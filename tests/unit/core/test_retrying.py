"""When a failed attempt is tried again, and after what pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.policies.retrying import PAUSE_MIN_S, pause_s, retries
from weft.model.errors import ErrorInfo
from weft.model.policies import Backoff, Retry

BOOM = ErrorInfo("my.Boom", "no", mro=("my.Boom", "builtins.ValueError", "builtins.Exception"))


def ask(
    retry: Retry | None,
    *,
    failures: int = 1,
    error: ErrorInfo | None = BOOM,
    verdict: bool | None = None,
    now: float = 0.0,
) -> tuple[float | None, str]:
    """Ask about an attempt whose task first started at 0."""
    return retries(retry, failures=failures, error=error, verdict=verdict, first_at=0.0, now=now, seed="r/1")


@pytest.mark.parametrize(
    ("retry", "pauses"),
    [
        (Retry(delay_s=2.0), [2, 2, 2, 2]),
        (Retry(delay_s=2.0, backoff=Backoff.EXPONENTIAL), [2, 4, 8, 16]),
        (Retry(delay_s=2.0, backoff=Backoff.EXPONENTIAL, factor=3.0), [2, 6, 18, 54]),
        (Retry(delay_s=2.0, backoff=Backoff.EXPONENTIAL, max_delay_s=5.0), [2, 4, 5, 5]),
        (Retry(backoff=Backoff.LIST, delays_s=(1.0, 10.0)), [1, 10, 10, 10]),
        (Retry(backoff=Backoff.LIST, delays_s=(1.0, 10.0), max_delay_s=4.0), [1, 4, 4, 4]),
        (Retry(), [0, 0, 0, 0]),
    ],
)
def test_pauses_grow_as_the_backoff_says(retry: Retry, pauses: list[float]) -> None:
    """Fixed, exponential with and without a cap, a list whose last one repeats."""
    assert [pause_s(retry, failures, "seed") for failures in range(1, 5)] == pauses


def test_an_exponential_pause_never_overflows() -> None:
    """The thousandth failure still has a pause, cap or not."""
    endless = Retry(delay_s=1.0, backoff=Backoff.EXPONENTIAL)
    assert pause_s(endless, 5000, "seed") == pause_s(endless, 61, "seed")
    capped = Retry(delay_s=1.0, backoff=Backoff.EXPONENTIAL, max_delay_s=60.0)
    assert pause_s(capped, 5000, "seed") == 60.0


@given(seed=st.text(), failures=st.integers(1, 1000), jitter=st.floats(0.0, 2.0))
def test_jitter_is_within_its_share_and_always_the_same(seed: str, failures: int, jitter: float) -> None:
    """Up to the given share more, decided by the seed: a replay waits just as long."""
    retry = Retry(delay_s=10.0, jitter=jitter)
    pause = pause_s(retry, failures, seed)
    assert 10.0 <= pause <= 10.0 * (1.0 + jitter)
    assert pause == pause_s(retry, failures, seed)


def test_jitter_spreads_task_runs_and_attempts() -> None:
    """Neighbours do not come back at the same moment."""
    retry = Retry(delay_s=10.0, jitter=0.5)
    assert len({pause_s(retry, 1, f"run/{idx}") for idx in range(100)}) == 100
    assert len({pause_s(retry, failures, "run/1") for failures in range(1, 11)}) == 10


def test_without_a_policy_nothing_is_tried_again() -> None:
    """No policy and a limit of 0 are the same."""
    assert ask(None)[0] is None
    assert ask(Retry(limit=0, delay_s=1.0))[0] is None


def test_the_limit_counts_retries_and_not_attempts() -> None:
    """With two retries the third failure is the last."""
    answers = [ask(Retry(limit=2), failures=failures)[0] for failures in (1, 2, 3)]
    assert answers == [0.0, 0.0, None]


def test_minus_one_is_without_limit() -> None:
    """The millionth failure is tried again, after a pause that lets others have their turn."""
    assert ask(Retry(limit=-1), failures=10**6)[0] == PAUSE_MIN_S
    assert ask(Retry(limit=-1, delay_s=5.0), failures=10**6)[0] == 5.0


@pytest.mark.parametrize(
    ("retry", "tried"),
    [
        (Retry(limit=1, on=("my.Boom",)), True),
        (Retry(limit=1, on=("builtins.ValueError",)), True),
        (Retry(limit=1, on=("builtins.KeyError",)), False),
        (Retry(limit=1, not_on=("builtins.KeyError",)), True),
        (Retry(limit=1, not_on=("builtins.ValueError",)), False),
        (Retry(limit=1, on=("builtins.Exception",), not_on=("my.Boom",)), False),
    ],
)
def test_errors_are_matched_by_any_class_of_theirs(retry: Retry, tried: bool) -> None:
    """``on`` and ``not_on`` look at the whole line of classes; ``not_on`` wins."""
    assert (ask(retry)[0] is not None) is tried


def test_an_error_without_classes_is_matched_by_its_type() -> None:
    """What came from a process or a container has a type only."""
    error = ErrorInfo("weft.ExitCode", exit_code=1)
    assert ask(Retry(limit=1, on=("weft.ExitCode",)), error=error)[0] == 0.0


@pytest.mark.parametrize(("code", "tried"), [(75, True), (1, False), (None, True)])
def test_exit_codes_are_matched_if_there_is_one(code: int | None, tried: bool) -> None:
    """A failure without an exit code is not about exit codes."""
    error = ErrorInfo("weft.ExitCode", exit_code=code)
    assert (ask(Retry(limit=1, exit_codes=(75,)), error=error)[0] is not None) is tried


def test_a_verdict_from_beside_user_code_can_only_say_no() -> None:
    """False stops; True and none leave it to the policy."""
    assert ask(Retry(limit=1), verdict=False)[0] is None
    assert ask(Retry(limit=1), verdict=True)[0] == 0.0
    assert ask(Retry(limit=1), failures=2, verdict=True)[0] is None


def test_no_attempt_starts_past_the_longest_duration() -> None:
    """The pause counts: the next start must be within the time since the first."""
    retry = Retry(limit=-1, delay_s=10.0, max_duration_s=60.0)
    assert ask(retry, now=50.0)[0] == 10.0
    assert ask(retry, now=50.5)[0] is None


@pytest.mark.parametrize(
    ("retry", "failures", "why"),
    [
        (Retry(limit=2), 3, "all 2 retries are used"),
        (Retry(), 1, "no retries are set"),
        (Retry(limit=1, on=("x.Y",)), 1, "my.Boom is not among the errors that are retried"),
        (Retry(limit=1, not_on=("my.Boom",)), 1, "my.Boom is never retried"),
    ],
)
def test_a_no_says_why(retry: Retry, failures: int, why: str) -> None:
    """The reason is what ``weft why`` shows."""
    assert ask(retry, failures=failures)[1] == why
