"""The parts of this package put together, for the composition roots.

``reactor`` is for a follower, which lives a layer above. The two loops may run in any number of processes.
"""

from collections.abc import Callable

from weft.artifacts.artifacts import Artifacts
from weft.model.automations import Action
from weft.model.deliveries import Delivery, Occasion
from weft.notifications.book import Book
from weft.notifications.context import Contexts
from weft.notifications.courier import Courier
from weft.notifications.deliver import Deliverer
from weft.notifications.outbox import DELIVERIES, delivery_name, post
from weft.notifications.protocol import Logs, Operations, Secrets
from weft.notifications.reactor import Reactor
from weft.notifications.watcher import Watcher
from weft.store.protocol import Store
from weft.store.records import Entry


class Notifications:
    """See the module.

    Args:
        store: Where everything is.
        artifacts: Opens parameters and published numbers; must not be trusted.
        now: The time.
        operations: What automations may do to runs; ``None``: nothing.
        secrets: Where secrets are opened; ``None``: nowhere.
        logs: What attempts printed; ``None``: nothing.
        base_url: Where people see runs; "" gives no links.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        now: Callable[[], float],
        *,
        operations: Operations | None = None,
        secrets: Secrets | None = None,
        logs: Logs | None = None,
        base_url: str = "",
    ) -> None:
        contexts = Contexts(store, artifacts, logs, base_url)
        self.courier = Courier(store, contexts, operations, secrets, now=now)
        self.reactor = Reactor(store, artifacts, now)
        self.deliverer = Deliverer(store, self.courier, now)
        self.watcher = Watcher(store, now, self.deliverer.hurry)

    def start(self) -> None:
        """Start both loops."""
        self.watcher.start()
        self.deliverer.start()

    def close(self) -> None:
        """Stop both loops; what is left is done by whoever runs them next."""
        self.watcher.close()
        self.deliverer.close()


def send_test(store: Store, action: Action, *, by: str, at: float) -> Entry[Delivery]:
    """Put a message into the outbox that says that it is a test.

    Args:
        store: Where the outbox is.
        action: Usually a ``Notify``.
        by: Who wants it.
        at: The time.

    Returns:
        The delivery; reading it again by its name tells how it goes.
    """
    book = Book(store)
    name = delivery_name(f"test by {by} at {at!r}", "", 0, at)
    post(book, name, "", action, Occasion(what=f"this is a test, wanted by {by}", at=at), at=at)
    store.write(book.writes(), at=at)
    return DELIVERIES.require(store, name)
