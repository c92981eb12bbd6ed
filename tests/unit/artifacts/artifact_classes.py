"""Classes that the artifact tests store: they must be importable by name."""

import enum
import threading
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import pydantic

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    YES = "yes"


class Right(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Point(NamedTuple):
    x: Any
    y: Any = 0


Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Box:
    content: Any
    notes: list[str] = field(default_factory=list)
    hidden: int = field(default=0, init=False)

    @cached_property
    def doubled(self) -> Any:
        return self.content * 2


@dataclass(frozen=True, slots=True)
class Frozen:
    a: Any
    b: Any = None


@dataclass
class Child(Box):
    extra: Any = None


@dataclass
class Guarded:
    """A dataclass that pickles in its own way."""

    value: Any

    def __getstate__(self) -> Any:
        return {"saved": self.value}

    def __setstate__(self, state: Any) -> None:
        self.value = state["saved"]


class Packet(msgspec.Struct):
    name: str
    body: Any = None


class Sealed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    long_name: Any
    other: int = 3


class Model(pydantic.BaseModel):
    name: str
    inner: "Model | None" = None
    anything: Any = None
    _private: int = pydantic.PrivateAttr(default=7)


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int


class Wrapper(pydantic.BaseModel, Generic[T]):
    item: T


class Plain:
    """An ordinary class, which only pickle keeps."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Plain and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


class Locked:
    def __init__(self) -> None:
        self.name = "fine"
        self.lock = threading.Lock()


class Slotted:
    __slots__ = ("handle", "name")

    def __init__(self, handle: Any) -> None:
        self.name = "fine"
        self.handle = handle


class Future:
    """Stands for a value to come: a hole."""

    def __init__(self, number: int) -> None:
        self.number = number
