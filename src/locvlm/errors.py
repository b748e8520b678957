"""Errors that LocVLM raises on purpose."""


class LocVLMError(Exception):
    """Base of all of them."""


class InputError(LocVLMError):
    """The input cannot be used; the message is one line: what, where, what to do."""
