"""Keeping secrets that this process was given out of what it writes for people.

What was hidden once stays hidden in this process: logs and errors of every attempt are looked through. Very
short texts are not hidden, because they would blot out ordinary words.
"""

LENGTH_MIN = 4
MASK = "***"

hidden: tuple[bytes, ...] = ()
"""What is hidden, the longest first; empty as long as nothing was."""


def hide(text: str) -> None:
    """Hide a text from now on."""
    global hidden
    data = text.encode("utf-8", "backslashreplace")
    if len(data) >= LENGTH_MIN and data not in hidden:
        hidden = tuple(sorted((*hidden, data), key=len, reverse=True))


def mask(data: bytes) -> bytes:
    """The data without what is hidden."""
    for each in hidden:
        data = data.replace(each, MASK.encode())
    return data


def mask_text(text: str) -> str:
    """The text without what is hidden."""
    for each in hidden:
        text = text.replace(each.decode("utf-8", "replace"), MASK)
    return text
