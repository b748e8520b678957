"""Errors that LocVLM raises on purpose."""


class LocVLMError(Exception):
    """Base of all of them."""


class InputError(LocVLMError):
    """The input cannot be used; the message is one line: what, where, what to do."""


class UnusableImageError(InputError):
    """A picture or clip cannot be shown to a model; others may be.

    Attributes:
        place: of the picture among those that were given together; None: it was given alone.
    """

    place: int | None = None


def first_line(error: BaseException) -> str:
    """Of an error of somebody else's code, for a message; its class where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
