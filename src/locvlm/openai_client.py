"""A chat model behind any server that speaks OpenAI's ``/chat/completions``."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote as quote_for_url
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from locvlm.errors import InputError, LocVLMError
from locvlm.io.bounded_http import BoundedPool, HttpAnswer, Limits, UnboundedError
from locvlm.io.reading import one_line, quote

TRIES = 6  # of one request, before it is given up
PAUSE, LONGEST = 1.0, 60.0  # seconds before the second try; twice as long before each further one
CONNECT, TIMEOUT = 10.0, 180.0  # seconds without a sign of the server
LIMITS = Limits(size=1 << 24, seconds=600.0)  # of one answer
SHORTEST_KEY = 6  # signs; EMPTY, none and the like are no secrets, and words that a model may say
HIDDEN = "[key]"  # what stands for a key in texts of a server
_LATER = frozenset({408, 425, 429})  # statuses that another try may change, beside 500 and above
_OF_CONTENT = frozenset({400, 413, 415, 422})  # statuses that may be about one message alone
_FILTERED = b'"content_filter"'  # code of a refusal that is
_PATH = "/chat/completions"
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # of JSON

Content: TypeAlias = str | Sequence[Mapping[str, Any]]  # of a message: a text, or its parts


class Reply(NamedTuple):
    """What a model said."""

    text: str
    cut: bool = False  # at the limit of tokens: the server says so


@dataclass(frozen=True)
class Flags:
    """What gives an endpoint on the command line; its errors name them."""

    url: str = "--server"
    model: str = "--model"
    key: str = "OPENAI_API_KEY"  # environment variable


@dataclass(frozen=True)
class Endpoint:
    """A model and how it is asked. Raises InputError where the URL is none."""

    url: str  # such as https://api.openai.com/v1
    model: str
    key: str = field(default="", repr=False)  # never written anywhere
    settings: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0})
    pause: float = PAUSE  # seconds before a second try
    timeout: float = TIMEOUT  # seconds without a sign of the server
    flags: Flags = Flags()
    limits: Limits = LIMITS  # of one answer

    def __post_init__(self) -> None:
        if not _usable(self.url):
            raise InputError(
                f"{self.flags.url} {quote(self.url)}: not the URL of a server; give one such as "
                f"https://api.openai.com/v1 (the key is taken from {self.flags.key})"
            )
        if not (self.key.isascii() and self.key.isprintable()):
            raise InputError(f"{self.flags.key} has signs that no key has; set it again")

    @property
    def address(self) -> str:
        """Where requests go."""
        base = self.url.rstrip("/")
        return base if base.endswith(_PATH) else base + _PATH

    def redact(self, text: str) -> str:
        """A text of the server without the key: all that comes from there goes through this."""
        if len(self.key) < SHORTEST_KEY:
            return text
        for key in (self.key, quote_for_url(self.key, safe="")):
            text = text.replace(key, HIDDEN)
        return text


class Refused(InputError):
    """The server answers this request with a 4xx that another try does not change."""

    def __init__(self, endpoint: Endpoint, trouble: str, *, content: bool, filtered: bool) -> None:
        flags = endpoint.flags
        super().__init__(
            f"{endpoint.address}: {trouble}; check {flags.url}, {flags.model} and the key in "
            f"{flags.key}"
        )
        self.trouble = trouble  # in the server's words
        self.content = content  # it may be about what was asked, rather than how
        self.filtered = filtered  # the server's content filter did it


class Spent(LocVLMError):
    """The budget allows no further request."""


class Stopped(LocVLMError):
    """Another thread has failed."""


class Client:
    """Asks an endpoint, from several threads if wanted."""

    def __init__(self, endpoint: Endpoint, *, budget: int | None = None, parallel: int = 1) -> None:
        """Makes at most `budget` requests, further tries included; None: any number."""
        self.requests = 0  # made so far
        self._endpoint, self._budget = endpoint, budget
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._pool = _pool(endpoint, parallel)

    def ask(self, content: Content) -> str:
        """The text of the reply to one message. Raises as `reply`."""
        return self.reply(content).text

    def reply(self, content: Content) -> Reply:
        """The reply to one message.

        Raises:
            Refused: the server refuses the request.
            InputError: it failed `TRIES` times in a row, or its answer is beyond the `limits`.
            Spent: the budget is used up.
            Stopped: `stop` was called.
        """
        trouble, wait = "", 0.0
        for attempt in range(TRIES):
            self._stopped.wait(wait)
            self._spend()
            reply, trouble, wait = self._try(content, attempt)
            if reply is not None:
                return reply
        raise InputError(
            f"{self._endpoint.address}: {trouble}, {TRIES} times in a row; try again later, what "
            "was answered so far is kept"
        )

    def stop(self) -> None:
        """No thread begins a further request."""
        self._stopped.set()

    def _spend(self) -> None:
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            if self._budget is not None and self.requests >= self._budget:
                raise Spent
            self.requests += 1

    def _try(self, content: Content, attempt: int) -> tuple[Reply | None, str, float]:
        """A reply, or what went wrong and the seconds to wait before another try."""
        from urllib3.exceptions import HTTPError

        wait = min(LONGEST, self._endpoint.pause * 2**attempt) * random.uniform(0.75, 1.25)
        try:
            response = self._post(content)
        except HTTPError as error:
            return None, f"no answer ({type(error).__name__})", wait
        except UnboundedError as error:
            raise InputError(
                f"{self._endpoint.address}: {error}, which no chat completion is; check "
                f"{self._endpoint.flags.url}"
            ) from None
        if response.status == 200:
            reply = _read_reply(response.data, self._endpoint)
            return reply, "an answer that is no chat completion", wait
        trouble = f"HTTP {response.status}{_message(response.data, self._endpoint)}"
        if response.status not in _LATER and response.status < 500:
            filtered = response.status == 400 and _FILTERED in response.data
            about_content = response.status in _OF_CONTENT
            raise Refused(self._endpoint, trouble, content=about_content, filtered=filtered)
        return None, trouble, _retry_after(response.headers.get("Retry-After"), wait)

    def _post(self, content: Content) -> HttpAnswer:
        endpoint = self._endpoint
        body = {
            **endpoint.settings,
            "model": endpoint.model,
            "messages": [{"role": "user", "content": content}],
        }
        headers = {"Content-Type": "application/json"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        return self._pool.post(endpoint.address, msgspec.json.encode(body), headers)


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: Any = None  # "length" where the tokens ended


class _Completion(msgspec.Struct):
    choices: list[_Choice]


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.username is None


def _pool(endpoint: Endpoint, parallel: int) -> BoundedPool:
    """Connections, through the proxy that the environment names for this address, if any."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT, read=endpoint.timeout)
    options: dict[str, Any] = {"maxsize": parallel, "timeout": timeout}
    parts = urlsplit(endpoint.address)
    proxy = getproxies().get(parts.scheme)
    if proxy is None or proxy_bypass(parts.netloc):
        proxy = None
    return BoundedPool(endpoint.limits, proxy, **options)


def _read_reply(data: bytes, endpoint: Endpoint) -> Reply | None:
    """What the model said, which may be nothing; None where the answer is no chat completion."""
    try:
        choices = msgspec.json.decode(data, type=_Completion).choices
    except _UNREADABLE:
        return None
    if not choices:
        return None
    text = endpoint.redact(choices[0].message.content or "")
    return Reply(text, choices[0].finish_reason == "length")


def _message(data: bytes, endpoint: Endpoint) -> str:
    """The server's own words about an error, on one line."""
    try:
        body = msgspec.json.decode(data)
    except _UNREADABLE:
        return ""
    error = body.get("error", body) if isinstance(body, dict) else None
    message = (error.get("message") or error.get("detail")) if isinstance(error, dict) else error
    if not isinstance(message, str):
        return ""
    return f" ({one_line(endpoint.redact(message))[:200]})"


def _retry_after(header: str | None, otherwise: float) -> float:
    """The seconds that the server asks for; a date, or nothing, leaves it to us."""
    return min(LONGEST, float(header)) if header and header.strip().isdecimal() else otherwise
