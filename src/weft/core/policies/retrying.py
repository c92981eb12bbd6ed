"""Whether a failed attempt is tried again, and after what pause."""

import hashlib

from weft.model.errors import ErrorInfo
from weft.model.policies import Backoff, Retry

PAUSE_MIN_S = 0.01
"""The least pause of retries without a limit: what always fails at once must give others a turn."""


def pause_s(retry: Retry, failures: int, seed: str) -> float:
    """The pause before the next attempt, after ``failures`` (1 or more) that counted.

    Jitter comes from a hash of ``seed``, so the same attempt always waits the same time: replayable, and
    still spread over task runs.
    """
    nth = failures - 1
    if retry.backoff is Backoff.LIST and retry.delays_s:
        pause = retry.delays_s[min(nth, len(retry.delays_s) - 1)]
    elif retry.backoff is Backoff.EXPONENTIAL:
        # 2.0**1024 overflows: past 60 doublings every sensible cap has long been reached.
        pause = retry.delay_s * retry.factor ** min(nth, 60)
    else:
        pause = retry.delay_s
    if retry.max_delay_s is not None:
        pause = min(pause, retry.max_delay_s)
    if retry.jitter:
        digest = hashlib.blake2b(f"{seed}/{failures}".encode(), digest_size=8).digest()
        pause *= 1.0 + retry.jitter * int.from_bytes(digest, "big") / 2**64
    return pause


def retries(
    retry: Retry | None,
    *,
    failures: int,
    error: ErrorInfo | None,
    verdict: bool | None,
    first_at: float,
    now: float,
    seed: str,
) -> tuple[float | None, str]:
    """Decide on the next attempt.

    Args:
        retry: The policy.
        failures: Attempts that failed so far, this one included.
        error: How this one failed.
        verdict: What the retry condition said beside user code, if there is one; False also means that user
            code asked not to be retried.
        first_at: When the first attempt began.
        now: The time.
        seed: For the jitter.

    Returns:
        The pause in seconds, or ``None`` and the reason why it is not tried again.
    """
    if verdict is False:
        return None, "the retry condition said no"
    if retry is None or retry.limit == 0:
        return None, "no retries are set"
    if 0 <= retry.limit < failures:
        return None, f"all {retry.limit} retries are used"
    if error is not None:
        names = error.mro or (error.type,)
        if retry.on and not any(name in retry.on for name in names):
            return None, f"{error.type} is not among the errors that are retried"
        if any(name in retry.not_on for name in names):
            return None, f"{error.type} is never retried"
        if retry.exit_codes and error.exit_code is not None and error.exit_code not in retry.exit_codes:
            return None, f"exit code {error.exit_code} is not retried"
    pause = pause_s(retry, failures, seed)
    if retry.limit < 0:
        pause = max(pause, PAUSE_MIN_S)
    if retry.max_duration_s is not None and now + pause > first_at + retry.max_duration_s:
        return None, f"the next try would start later than {retry.max_duration_s:g} s after the first"
    return pause, ""
