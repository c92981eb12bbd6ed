"""What a PostgreSQL store does when the world fails: it waits, loses nothing, and says what is wrong.

These tests stop, kill and fill servers of their own.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from postgres_server import PostgresElsewhere, PostgresServer
from store_cases import ONE, Engine, all_events, check_fold, run_added, run_changed, task_added, task_changed

from weft.model.errors import (
    CommitUnknown,
    InvariantViolation,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    UsageError,
)
from weft.model.states import RunState, TaskState
from weft.store.open import open_store
from weft.store.postgres import PostgresStore
from weft.store.postgres_place import place
from weft.store.postgres_schema import SCHEMA_VERSION
from weft.store.postgres_session import Session
from weft.store.protocol import Request, Write

Database = PostgresServer | PostgresElsewhere


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    server = PostgresServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def store(postgres: Database) -> Iterator[PostgresStore]:
    """A store that does not wait long."""
    made = PostgresStore(postgres.url(), patience_s=0.3)
    yield made
    made.close()


@contextmanager
def beside(store: PostgresStore) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's connection to the store's schema."""
    with psycopg.connect(store.place.conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path = {store.place.schema}")
        yield connection


# Away, and back again


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_in_the_middle_of_a_run_loses_nothing(own: PostgresServer, mode: str) -> None:
    """Commits go on through restarts and crashes of the database: each is made once, none is lost."""
    store = PostgresStore(own.url(), patience_s=30.0)
    engine = Engine(store)
    engine.start(1)
    done = threading.Event()
    faults: list[BaseException] = []
    made = 0

    def commits() -> None:
        nonlocal made
        try:
            while not done.is_set():
                engine.commit(task_added(1, made), task_changed(1, made, TaskState.SUCCEEDED, result=ONE))
                made += 1
                if made % 7 == 0:
                    store.write([Write(kind="n", name="n", body=b"%d" % made)], at=1.0)
                    assert store.task(1, made - 1).result == ONE
        except BaseException as exc:
            faults.append(exc)

    thread = threading.Thread(target=commits)
    thread.start()
    for _ in range(3):
        before = made
        while made < before + 40 and thread.is_alive():
            time.sleep(0.005)
        own.stop(mode)
        own.start()
    done.set()
    thread.join()
    assert faults == []
    assert store.counts(1) == {TaskState.SUCCEEDED: made}
    told = store.events(1, limit=1_000_000)
    assert [event.seq for event in told] == list(range(1, 2 * made + 3))
    record = store.record("n", "n")
    assert record is not None
    assert int(record.body) == made - made % 7
    check_fold(store)
    store.close()


def test_a_database_that_stays_away_is_told(own: PostgresServer) -> None:
    """Nothing was sent, so nothing was made; when it is back the same store goes on."""
    store = PostgresStore(own.url(), patience_s=0.2)
    engine = Engine(store)
    engine.start(1, tasks=1)
    own.stop()
    try:
        with pytest.raises(StoreBusy, match="cannot be reached") as caught:
            store.runs()
        assert "weft@" in caught.value.where
        with pytest.raises(StoreError):
            engine.commit(task_changed(1, 0, TaskState.RUNNING))
        with pytest.raises(StoreBusy):
            engine.commit(task_changed(1, 0, TaskState.RUNNING))
        with pytest.raises(StoreBusy):
            PostgresStore(own.url(), patience_s=0.0)
    finally:
        own.start()
    assert store.task(1, 0).state is TaskState.QUEUED
    assert engine.commit(task_changed(1, 0, TaskState.RUNNING)) == frozenset()
    check_fold(store)
    store.close()


def cut(store: PostgresStore, monkeypatch: pytest.MonkeyPatch, *, after_it_was_made: bool) -> None:
    """The writer's connection dies at the next COMMIT, before or after the server got it."""
    exchange = Session.exchange

    def dying(self: Session, statements: Any, **given: Any) -> Any:
        if statements[-1][0] != "COMMIT" or self is not store._writer._session:
            return exchange(self, statements, **given)
        monkeypatch.setattr(Session, "exchange", exchange)
        if after_it_was_made:
            exchange(self, statements, **given)
        self.close()
        raise psycopg.OperationalError("the cable was pulled")

    monkeypatch.setattr(Session, "exchange", dying)


@pytest.mark.parametrize("after_it_was_made", [True, False])
def test_a_commit_whose_answer_is_lost_is_made_once(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, after_it_was_made: bool
) -> None:
    """The store looks whether it was made, and makes it only if it was not."""
    engine = Engine(store)
    engine.start(1, tasks=1)
    last = store.last_seq()
    cut(store, monkeypatch, after_it_was_made=after_it_was_made)
    assert engine.commit(task_changed(1, 0, TaskState.RUNNING), run_added(2), run_changed(2)) == frozenset()
    assert store.last_seq() == last + 3
    engine.commit(task_changed(1, 0, TaskState.SUCCEEDED))
    assert store.last_seq() == last + 4
    check_fold(store)


@pytest.mark.parametrize("after_it_was_made", [True, False])
def test_other_writes_whose_answer_is_lost_are_made_once_too(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, after_it_was_made: bool
) -> None:
    """Compare-and-set, claims, ids and requests: the caller is told what was done, not that it was done."""
    given: dict[str, Any] = {"after_it_was_made": after_it_was_made}
    engine = Engine(store)
    engine.start(1)
    store.close_engine(engine.id)
    heir = Engine(store)
    cut(store, monkeypatch, **given)
    assert store.claim(heir.id, now=5.0) == {1: 2}
    (revision,) = store.write([Write(kind="n", name="n", body=b"0")], at=1.0)
    cut(store, monkeypatch, **given)
    (next_,) = store.write([Write(kind="n", name="n", body=b"1", expect=revision)], at=1.0)
    record = store.record("n", "n")
    assert record is not None
    assert record.revision == next_
    cut(store, monkeypatch, **given)
    assert store.ask(Request(request_id="a", run=1, kind="pause", at=1.0))
    assert len(store.requests(heir.id)) == 1
    cut(store, monkeypatch, **given)
    first = store.reserve_runs(5)
    assert store.reserve_runs(1) == first + 5
    with beside(store) as connection:
        assert connection.execute("SELECT count(*) FROM receipt").fetchall() == [(1,)]


def test_a_commit_that_cannot_be_looked_up_is_unknown(
    own: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database died with the answer and stays away: only then the caller has to read back."""
    store = PostgresStore(own.url(), patience_s=0.2)
    engine = Engine(store)
    engine.start(1, tasks=1)
    cut(store, monkeypatch, after_it_was_made=True)
    monkeypatch.setattr(store._writer, "_connected", away_after_one(store))
    with pytest.raises(CommitUnknown):
        engine.commit(task_changed(1, 0, TaskState.RUNNING))
    monkeypatch.undo()
    assert store.task(1, 0).state is TaskState.RUNNING
    engine.commit(task_changed(1, 0, TaskState.SUCCEEDED))
    check_fold(store)
    store.close()


def away_after_one(store: PostgresStore) -> Any:
    """The session that is there, and then none any more."""
    sessions = [store._writer._session]

    def connected() -> Any:
        if sessions:
            return sessions.pop()
        raise psycopg.OperationalError("nobody is there")

    return connected


def test_what_a_lost_connection_was_at_is_ended_before_anything_else(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may not have noticed: its process, which holds locks, is ended by the next connection."""
    engine = Engine(store)
    engine.start(1, tasks=1)
    old = store._writer._session
    assert old is not None
    old.ask("BEGIN", prepare=False)
    old.ask("SELECT 1 FROM run WHERE run = 1 FOR UPDATE", prepare=False)
    # The cable is out: we go on without it, and the server still waits for more.
    store._writer._session, store._writer._ghost = None, old.backend
    assert engine.commit(task_changed(1, 0, TaskState.RUNNING)) == frozenset()
    with pytest.raises(psycopg.OperationalError):
        old.ask("SELECT 1", prepare=False)
    old.close()


# In each other's way


def test_a_run_that_is_being_claimed_is_waited_for_and_then_refused(store: PostgresStore) -> None:
    """A commit waits for the claim's lock and sees what it did (I9)."""
    engine = Engine(store)
    engine.start(1, tasks=1)
    with beside(store) as other:
        other.execute("BEGIN")
        other.execute("UPDATE run SET owner = 99, epoch = epoch + 1 WHERE run = 1")
        with pytest.raises(StoreBusy, match="lock"):
            engine.commit(task_changed(1, 0, TaskState.RUNNING))
        answers: list[frozenset[int]] = []
        waiting = threading.Thread(
            target=lambda: answers.append(engine.commit(task_changed(1, 0, TaskState.RUNNING)))
        )
        waiting.start()
        wait_for_lock(other)
        other.execute("COMMIT")
        waiting.join()
    assert answers == [frozenset({1})]
    assert store.task(1, 0).state is TaskState.QUEUED


def wait_for_lock(connection: psycopg.Connection[Any]) -> None:
    """Until somebody waits for a lock."""
    while not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
        time.sleep(0.001)


def test_claims_leave_what_is_being_committed_or_claimed(postgres: Database) -> None:
    """Nobody waits for anybody: what one engine has locked, the other's claim passes over."""
    url = postgres.url()
    store, other = PostgresStore(url), PostgresStore(url)
    for run in (1, 2, 3):
        store.commit([run_added(run, queue="q")], engine=0, epochs={run: 0})
    first, second = Engine(store), Engine(other)
    with beside(store) as locking:
        locking.execute("BEGIN")
        locking.execute("SELECT 1 FROM run WHERE run = 1 FOR NO KEY UPDATE")
        assert store.claim(first.id, now=1.0, queues=["q"], limit=1) == {2: 1}
        assert other.claim(second.id, now=1.0, queues=["q"]) == {3: 1}
        locking.execute("ROLLBACK")
    assert other.claim(second.id, now=1.0, queues=["q"]) == {1: 1}
    store.close()
    other.close()


def test_followers_of_the_log_miss_nothing_of_several_writers(postgres: Database) -> None:
    """``seq`` grows in the order of the commits: who has read up to one has read all before it."""
    url = postgres.url()
    stores = [PostgresStore(url) for _ in range(4)]
    engines = [Engine(each) for each in stores]
    for number, engine in enumerate(engines, 1):
        engine.start(number)
    done = threading.Event()

    def write(engine: Engine, run: int) -> None:
        for idx in range(60):
            engine.commit(
                task_added(run, idx), *[task_changed(run, idx, at=float(n)) for n in range(idx % 5)]
            )

    read: list[int] = []

    def follow() -> None:
        last = 0
        while True:
            ended = done.is_set()
            found = stores[0].events_since(last, limit=7)
            read.extend(event.seq for event in found)
            last = read[-1] if read else 0
            if ended and not found:
                return

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(each, run)) for run, each in enumerate(engines, 1)]
    for thread in (follower, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    follower.join()
    assert read == list(range(1, stores[0].last_seq() + 1))
    check_fold(stores[0])
    for store in stores:
        store.close()


def test_two_runs_of_one_key_from_two_processes(postgres: Database) -> None:
    """Of two that come at once, one is made, and the other is refused and told apart."""
    url = postgres.url()
    stores = [PostgresStore(url) for _ in range(2)]
    engines = [Engine(each) for each in stores]
    together = threading.Barrier(2)
    refused: list[frozenset[int]] = []

    def submit(engine: Engine, run: int) -> None:
        for number in range(20):
            together.wait()
            here = run + 100 * number
            refused.append(engine.commit(run_added(here, key=f"tick-{number}"), run_added(here + 50)))

    threads = [threading.Thread(target=submit, args=(each, run)) for run, each in enumerate(engines, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, refused)) == [0] * 20 + [1] * 20
    assert len(stores[0].runs(limit=1000)) == 60
    check_fold(stores[0])
    for store in stores:
        store.close()


def test_a_frozen_process_does_not_hold_up_the_others(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stops inside a transaction, with the lock of the log, loses its connection after a while."""
    monkeypatch.setattr("weft.store.postgres_connection.IDLE_IN_TRANSACTION_S", 0.2)
    url = postgres.url()
    frozen, other = PostgresStore(url), PostgresStore(url)
    engine = Engine(other)
    session = frozen._writer._session
    assert session is not None
    session.ask("BEGIN", prepare=False)
    session.ask("SELECT pg_advisory_xact_lock($1::int, $2::int)", 0x57454654, frozen.place.key, prepare=False)
    assert engine.start(1, tasks=1) == 1
    assert frozen.reserve_runs(1) == 1
    frozen.close()
    other.close()


# Notifications


def test_another_process_is_woken_and_its_own_writes_do_not_wake_it(postgres: Database) -> None:
    """For runs that nobody owns, requests, records and what an engine gives up."""
    url = postgres.url()
    store, other = PostgresStore(url), PostgresStore(url)
    engine = Engine(store)
    engine.start(1)
    woken = threading.Semaphore(0)
    store.listen(lambda: woken.release())
    assert store._listeners[0].listening.wait(10.0)
    for act in (
        lambda each: each.commit([run_added(2)], engine=0, epochs={2: 0}),
        lambda each: each.ask(Request(request_id=each._writer.token, run=1, kind="pause", at=1.0)),
        lambda each: each.write([Write(kind="n", name="n", body=b"")], at=1.0),
        lambda each: each.assign([1], "q"),
        lambda each: each.close_engine(engine.id),
    ):
        act(other)
        assert woken.acquire(timeout=10.0)
    engine.commit(task_added(1, 0))
    store.write([Write(kind="n", name="n", body=b"")], at=1.0)
    other.write([Write(kind="n", name="n", body=b"")], at=1.0)
    assert woken.acquire(timeout=10.0)
    assert not woken.acquire(blocking=False)
    store.close()
    other.close()


def test_a_listener_comes_back_after_a_restart(own: PostgresServer) -> None:
    """It wakes once for what it may have missed."""
    store = PostgresStore(own.url(), patience_s=20.0)
    woken = threading.Event()
    store.listen(woken.set)
    assert store._listeners[0].listening.wait(10.0)
    own.stop()
    own.start()
    assert woken.wait(20.0)
    store.close()


# Refusals


def test_a_full_disk_undoes_the_commit(
    tmp_path_factory: pytest.TempPathFactory, store: PostgresStore
) -> None:
    """SQLSTATE 53100 is ours to translate; nothing of the commit was made."""
    engine = Engine(store)
    engine.start(1)
    with beside(store) as other:
        other.execute(
            "CREATE FUNCTION full_disk() RETURNS TRIGGER LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END$$"
        )
        other.execute("CREATE TRIGGER full_disk BEFORE INSERT ON event EXECUTE FUNCTION full_disk()")
        last = store.last_seq()
        with pytest.raises(StoreFull):
            engine.commit(task_added(1, 0))
        assert (store.last_seq(), store.tasks(1)) == (last, [])
        other.execute("DROP TRIGGER full_disk ON event")
    assert engine.commit(task_added(1, 0)) == frozenset()
    check_fold(store)


def test_a_database_that_cannot_be_written_can_be_read(postgres: Database) -> None:
    """As a standby is: only writes are refused, and told so."""
    url = postgres.url()
    store = PostgresStore(url)
    Engine(store).start(1)
    looking = PostgresStore(url)
    session = looking._writer._session
    assert session is not None
    session.ask("SET default_transaction_read_only = on", prepare=False)
    assert looking.run("@latest").run == 1
    with pytest.raises(StoreReadOnly):
        looking.reserve_runs(1)
    looking.close()
    store.close()


def test_a_fault_inside_a_transaction_leaves_none_open(store: PostgresStore) -> None:
    """Also an exception that is not the driver's, such as Ctrl-C, gives the locks back."""
    engine = Engine(store)
    engine.start(1)

    def interrupted(db: Session) -> None:
        db.ask("UPDATE meta SET value = 99 WHERE name = 'next_run'", prepare=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._writer.transaction(interrupted)
    assert store.reserve_runs(1) == 1
    engine.start(2)


def test_a_newer_store_is_refused_unchanged(store: PostgresStore) -> None:
    """An older Weft must not guess what a newer one wrote."""
    with beside(store) as other:
        other.execute("UPDATE meta SET value = %s WHERE name = 'schema'", (SCHEMA_VERSION + 1,))
        with pytest.raises(StoreTooNew) as caught:
            open_again(store)
        assert caught.value.fields == {"version": SCHEMA_VERSION + 1, "known": SCHEMA_VERSION}
        other.execute("UPDATE meta SET value = %s WHERE name = 'schema'", (SCHEMA_VERSION,))


def open_again(store: PostgresStore) -> None:
    """Open the same store once more."""
    PostgresStore(f"{store.place.conninfo}&schema={store.place.schema}").close()


def test_another_programs_schema_is_left_alone(postgres: Database) -> None:
    """Tables that are not ours are not joined by ours."""
    url = postgres.url()
    at = place(url)
    with psycopg.connect(at.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {at.schema}")
        connection.execute(f"CREATE TABLE {at.schema}.songs (title TEXT)")
        with pytest.raises(StoreCorrupt, match="no Weft store"):
            PostgresStore(url)
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (at.schema,)
        ).fetchall()
    assert found == [("songs",)]


def test_an_encoding_that_cannot_hold_every_text_is_refused(own: PostgresServer) -> None:
    """Before anything is written."""
    with psycopg.connect(own.base, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(UsageError, match="LATIN1") as caught:
        PostgresStore(own.base.replace("/postgres?", "/latin?"))
    assert "ENCODING 'UTF8'" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://weft@/weft?sslmode=perhaps", "sslmode"),
        ("postgresql://weft@/weft?colour=blue", "colour"),
        ("postgresql://weft@/weft?schema=a-b", "schema"),
        ("postgresql://nobody.invalid/weft", "nobody.invalid"),
    ],
)
def test_a_url_that_cannot_be_is_told_at_once(url: str, told: str) -> None:
    """Without waiting for a database that will never be there."""
    with pytest.raises(UsageError, match=told):
        open_store(url)


def test_a_database_that_is_not_there_is_told_at_once(postgres: Database) -> None:
    """A wrong name is no outage."""
    with pytest.raises(UsageError, match="does not exist"):
        open_store(postgres.base.replace("/postgres?", "/elsewhere?"))


def test_a_password_is_never_shown() -> None:
    """Errors name the place without it."""
    with pytest.raises(StoreBusy) as caught:
        PostgresStore("postgresql://me:secret@127.0.0.1:1/weft", patience_s=0.0)
    assert "me@127.0.0.1:1" in caught.value.where
    assert "secret" not in str(caught.value)


def test_a_closed_store_says_so(postgres: Database) -> None:
    """It does not connect again behind one's back; closing twice is fine."""
    store = PostgresStore(postgres.url())
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.runs()
    with pytest.raises(StoreError, match="closed"):
        store.reserve_runs(1)


@pytest.mark.parametrize(("durability", "level"), [("full", "on"), ("relaxed", "off")])
def test_durability_is_how_a_commit_is_synced(postgres: Database, durability: str, level: str) -> None:
    """FULL waits for the disk, relaxed does not."""
    store = PostgresStore(postgres.url(), durability=durability)
    session = store._writer._session
    assert session is not None
    assert session.ask("SELECT current_setting('synchronous_commit')") == [(level,)]
    store.close()


def test_text_of_every_kind_is_kept(store: PostgresStore) -> None:
    """Also what PostgreSQL cannot hold as it is, and what looks like its escape."""
    engine = Engine(store)
    engine.start(1)
    texts = [
        "\x00",
        "a\x00b",
        "\x1a",
        "\x1a\x1b",
        "\x1a\x00",
        "'; --",
        "\\x00",
        '{a,"b"}',
        "NULL",
        "\U0010ffff",
    ]
    for idx, text in enumerate(texts):
        engine.commit(task_added(1, idx, key=text, name=text))
        assert store.task_by_key(1, text).idx == idx
    assert [row.key for row in store.tasks(1)] == texts
    assert [row.idx for row in store.tasks(1, "key:*\x00*")] == [0, 1, 4]
    check_fold(store)
    with pytest.raises(InvariantViolation):
        engine.commit(task_added(1, 0))
    assert len(all_events(store)) == 2 + len(texts)


def test_an_engine_that_is_killed_leaves_whole_commits(postgres: Database) -> None:
    """After kill -9 every commit that returned is there, whole, and at most the next one beside it."""
    from test_sqlite_processes import check_fold_of_many, lines, start

    url = postgres.url()
    writer = start("write", url, 100_000)
    (run,) = lines(writer, 1)
    assert lines(writer, 25) == list(range(25))
    os.kill(writer.pid, signal.SIGKILL)
    more, _ = writer.communicate()
    known = 25 + more.count("\n")
    store = PostgresStore(url)
    assert store.counts(run)[TaskState.SUCCEEDED] in (known * 10, (known + 1) * 10)
    check_fold_of_many(store, run)
    heir = Engine(store)
    (dead,) = {row.engine for row in store.engines()} - {heir.id}
    assert store.claim(heir.id, now=2.0, dead=[dead]) == {run: 2}
    heir.epochs[run] = 2
    assert heir.commit(run_changed(run, RunState.SUCCEEDED)) == frozenset()
    store.close()
