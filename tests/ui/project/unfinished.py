"""A file that cannot be read, as one that somebody saved too early."""

from weft import flow
from weft_shop_missing import till

@flow
def counting() -> int:
    return till.count()
