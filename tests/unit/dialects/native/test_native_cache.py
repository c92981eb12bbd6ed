"""Cached tasks: when an earlier result stands in for running."""

import time
from typing import Any

from embedded_weft import Said, Weft

from weft import flow, task
from weft.model.states import TaskState


@task
def double(x: int) -> int:
    return 2 * x


def test_cache_across_runs(weft: Weft, said: Said) -> None:
    """The same inputs give the earlier result, in another run of the workflow and after a restart."""

    @task(cache="inputs")
    def work(x: int) -> int:
        said.say(x)
        return x + 1

    @flow
    def main(x: int) -> int:
        return work(x)

    assert [main(1), main(1), main(2)] == [2, 2, 3]
    weft.open()
    assert main(1) == 2
    assert said.lines == ["1", "2"]
    assert weft.states() == {"work-0": TaskState.CACHED}


def test_cache_keys_do_not_depend_on_how_inputs_come(weft: Weft, said: Said) -> None:
    """A value that comes from a future hits the record of the same value given directly."""

    @task(cache="inputs")
    def work(x: int) -> int:
        said.say(x)
        return x

    @flow
    def main() -> None:
        work(4)
        work(double.submit(2))  # type: ignore[arg-type]
        work.map([4, 5]).result()

    main()
    assert said.lines == ["4", "5"]


def test_cache_expires(weft: Weft, said: Said) -> None:
    """A record older than its ttl is not used."""

    @task(cache="inputs", cache_ttl=0.2)
    def work() -> None:
        said.say("ran")

    @flow
    def main() -> None:
        work()

    main()
    main()
    assert said.lines == ["ran"]
    time.sleep(0.21)
    main()
    assert said.lines == ["ran", "ran"]


def test_cache_of_changed_code(weft: Weft, said: Said) -> None:
    """A change of the source misses; ``version=`` stands for the source."""

    def make(bias: int, **options: Any) -> Any:
        def first() -> int:
            said.say("first")
            return 1

        def second() -> int:
            said.say("second")
            return 2

        fn = (first, second)[bias]
        fn.__name__ = "work"
        fn.__qualname__ = "work"
        return task(fn, **options) if not options else task(**options)(fn)

    def call(made: Any) -> int:
        @flow(name="main")
        def main() -> int:
            value: int = made()
            return value

        return main()

    assert call(make(0, cache="inputs")) == 1
    assert call(make(1, cache="inputs")) == 2
    assert call(make(0, cache="inputs", version="7")) == 1
    assert call(make(1, cache="inputs", version="7")) == 1


def test_cache_refresh_exclude_key_and_scope(weft: Weft, said: Said) -> None:
    """Refresh runs anyway; excluded inputs do not count; a key of one's own; a run's own scope."""

    def make(name: str, **options: Any) -> Any:
        @task(name=name, **options)
        def work(x: int, noise: int = 0) -> int:
            said.say(f"{name}{x}{noise}")
            return x

        return work

    fresh = make("fresh", cache="inputs", cache_refresh=True)
    quiet = make("quiet", cache="inputs", cache_exclude=["noise"])
    keyed = make("keyed", cache_key="k")
    ours = make("ours", cache="inputs", cache_scope="run")

    @flow
    def main() -> None:
        fresh(1)
        quiet(1, noise=1)
        quiet(1, noise=2)
        keyed(1)
        keyed(2)
        ours(1)
        ours(1)

    main()
    main()
    assert said.lines == ["fresh10", "quiet11", "keyed10", "ours10", "fresh10", "ours10"]


def test_cache_excludes_positional_arguments(weft: Weft, said: Said) -> None:
    """An excluded input does not count however it is passed."""

    @task(cache="inputs", cache_exclude=["noise"])
    def work(x: int, noise: int = 0) -> int:
        said.say("ran")
        return x

    @flow
    def main() -> list[int]:
        return [work(1, 1), work(1, 2), work(x=1, noise=3)]

    assert main() == [1, 1, 1]
    assert said.lines == ["ran"]


def test_cache_of_a_global_scope(weft: Weft, said: Said) -> None:
    """With global scope other workflows share the record; without they do not."""

    @task(cache="inputs", cache_scope="global")
    def shared() -> None:
        said.say("shared")

    @task(cache="inputs")
    def own() -> None:
        said.say("own")

    for name in ("first", "second"):

        @flow(name=name)
        def main() -> None:
            shared()
            own()

        main()
    assert said.lines == ["shared", "own", "own"]
