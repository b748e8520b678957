"""Against a real server: what it may do wrong, and what is made of it."""

import gzip
import json
import socket
import threading
import time
import zlib

import pytest

from locvlm.errors import InputError
from locvlm.io.bounded_http import Limits
from locvlm.openai_client import TRIES, Client, Endpoint, Flags, Refused, Spent, Stopped
from tests.chat_server import Answer, Request, serving


def endpoint(url: str, **how: object) -> Endpoint:
    return Endpoint(url, "judge-1", **{"pause": 0.001, **how})


def test_what_is_sent() -> None:
    with serving(lambda number, request: Answer("fine")) as server:
        asked = endpoint(server.url, key="secret", settings={"temperature": 0, "max_tokens": 9})
        assert Client(asked).ask("Is it?") == "fine"
        (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.body == {
        "temperature": 0,
        "max_tokens": 9,
        "model": "judge-1",
        "messages": [{"role": "user", "content": "Is it?"}],
    }


def test_temperature_is_0_and_no_key_is_sent_where_there_is_none() -> None:
    with serving(lambda number, request: Answer("fine")) as server:
        Client(endpoint(server.url + "/chat/completions/")).ask("é")
        (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert "Authorization" not in request.headers
    assert request.body["temperature"] == 0
    assert request.prompt == "é"


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Endpoint("http://localhost", "m", "secret"))
    with pytest.raises(InputError) as error:
        Endpoint("http://localhost", "m", "secret\nX-Other: 1")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8000", "ftp://a/v1", "http://", "https:///v1", "http://a:x/v1"),
        *("http://me:pw@a/v1", "http://[::1/v1", "file:///etc/passwd"),
    ],
)
def test_no_url(url: str) -> None:
    with pytest.raises(InputError, match="not the URL of a server") as error:
        Endpoint(url, "m")
    assert "\n" not in str(error.value)


TROUBLE = [
    Answer(b'{"error": {"message": "slow\\ndown"}}', 429),
    Answer(b"", 408),
    Answer(b"<html>", 500),
    Answer(b"", 503, headers={"Retry-After": "0"}),
    Answer(b"not json"),
    Answer(b'{"choices": []}'),
    Answer(b'{"choices": [{"message": {"content": 5}}]}'),
    Answer(b"[]"),
    Answer(b"\xff\xfe"),
    Answer("half", cut=True),
    Answer("late", wait=0.6),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=[str(number) for number in range(len(TROUBLE))])
def test_tried_again_until_it_goes(trouble: Answer) -> None:
    def script(number: int, request: Request) -> Answer:
        return trouble if number < 2 else Answer("at last")

    with serving(script) as server:
        client = Client(endpoint(server.url, timeout=0.3))
        assert client.ask("?") == "at last"
        assert client.requests == len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer(b'{"error": {"message": "slow\\n down"}}', 429),
            r"HTTP 429 \(slow down\), 6 times",
        ),
        (Answer(b"{}", 500), "HTTP 500, 6 times"),
        (Answer(b"no"), "an answer that is no chat completion, 6 times"),
        (Answer("late", wait=0.5), r"no answer \(ReadTimeoutError\), 6 times"),
    ],
)
def test_given_up_at_some_time(answer: Answer, words: str) -> None:
    with serving(lambda number, request: answer) as server:
        with pytest.raises(InputError, match=words) as error:
            Client(endpoint(server.url, timeout=0.1)).ask("?")
        assert len(server.requests) == TRIES
    assert "\n" not in str(error.value)


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(InputError, match="no answer .NewConnectionError., 6 times in a row"):
        Client(endpoint(url)).ask("?")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b'{"error": {"message": "Bad key"}}', 401), r"HTTP 401 \(Bad key\); check"),
        (Answer(b'{"detail": "no such model"}', 404), r"HTTP 404 \(no such model\); check"),
        (Answer(b'{"error": "what?"}', 400), r"HTTP 400 \(what\?\); check"),
        (Answer(b"[1]", 422), "HTTP 422; check"),
        (Answer(b"", 302, headers={"Location": "/elsewhere"}), "HTTP 302; check"),
    ],
)
def test_refused_at_once(answer: Answer, words: str) -> None:
    with serving(lambda number, request: answer) as server:
        with pytest.raises(Refused, match=words) as refusal:
            Client(endpoint(server.url)).ask("?")
        assert len(server.requests) == 1
    assert refusal.value.content == (answer.status in (400, 422))
    assert not refusal.value.filtered


def test_errors_name_the_flags() -> None:
    flags = Flags("--who", "--which", "MY_KEY")
    with pytest.raises(InputError, match="--who 'x': not the URL .* taken from MY_KEY"):
        Endpoint("x", "m", flags=flags)
    with pytest.raises(InputError, match="MY_KEY has signs"):
        Endpoint("http://localhost", "m", "\n", flags=flags)
    with serving(lambda number, request: Answer(b"", 401)) as server:
        with pytest.raises(Refused, match="check --who, --which and the key in MY_KEY"):
            Client(endpoint(server.url, flags=flags)).ask("?")


def test_a_message_may_have_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    with serving(lambda number, request: Answer("fine")) as server:
        assert Client(endpoint(server.url)).ask(parts) == "fine"
        assert server.requests[0].body["messages"] == [{"role": "user", "content": parts}]


def test_waits_as_long_as_the_server_asks() -> None:
    def script(number: int, request: Request) -> Answer:
        return Answer("" if number else b"", 200 if number else 429, headers={"Retry-After": "1"})

    with serving(script) as server:
        begin = time.monotonic()
        assert Client(endpoint(server.url)).ask("?") == ""
        assert time.monotonic() - begin > 0.9


def test_a_model_may_say_nothing() -> None:
    with serving(lambda *_: Answer(b'{"choices": [{"message": {"content": null}}]}')) as server:
        assert Client(endpoint(server.url)).ask("?") == ""


def test_a_content_filter_refuses_one_message_alone() -> None:
    body = b'{"error": {"message": "filtered", "code": "content_filter"}}'
    with serving(lambda number, request: Answer(body, 400)) as server:
        with pytest.raises(Refused) as refusal:
            Client(endpoint(server.url)).ask("?")
        assert len(server.requests) == 1
    assert (refusal.value.content, refusal.value.filtered) == (True, True)


def test_further_tries_count_in_the_budget() -> None:
    with serving(lambda number, request: Answer(b"", 500)) as server:
        client = Client(endpoint(server.url), budget=2)
        with pytest.raises(Spent):
            client.ask("?")
        assert client.requests == len(server.requests) == 2
        with pytest.raises(Spent):
            Client(endpoint(server.url), budget=0).ask("?")
        assert len(server.requests) == 2


def test_stopped() -> None:
    with serving(lambda number, request: Answer("fine")) as server:
        client = Client(endpoint(server.url))
        client.stop()
        with pytest.raises(Stopped):
            client.ask("?")
        assert not server.requests


KEY = "sk-7f3a/9c+1e5d"


@pytest.mark.parametrize("echoed", [KEY, f"Bearer {KEY}, in full", "sk-7f3a%2F9c%2B1e5d"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_that_the_server_echoes_is_hidden(echoed: str, status: int) -> None:
    error = json.dumps({"error": {"message": f"{'x' * 180} {echoed}"}}).encode()
    answer = Answer(f"a dog {echoed}") if status == 200 else Answer(error, status)
    with serving(lambda number, request: answer) as server:
        client = Client(endpoint(server.url, key=KEY))
        if status == 200:
            shown = client.ask("?")
        else:
            with pytest.raises(InputError) as caught:
                client.ask("?")
            shown = str(caught.value) + getattr(caught.value, "trouble", "")
    assert "[key]" in shown
    assert "7f3a" not in shown


@pytest.mark.parametrize("key", ["", "EMPTY", "none"])
def test_words_that_stand_for_no_key_stay(key: str) -> None:
    with serving(lambda number, request: Answer("none, EMPTY")) as server:
        assert Client(endpoint(server.url, key=key)).ask("?") == "none, EMPTY"


COMPLETION = Answer("fine").encoded()
BARE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(COMPLETION),
    "x-gzip": gzip.compress(COMPLETION[:20]) + gzip.compress(COMPLETION[20:]),
    "deflate": zlib.compress(COMPLETION),
    "Deflate": BARE.compress(COMPLETION) + BARE.flush(),
    "identity": COMPLETION,
}


@pytest.mark.parametrize("packing", PACKED)
def test_packed_answers(packing: str) -> None:
    answer = Answer(PACKED[packing], headers={"Content-Encoding": packing})
    with serving(lambda number, request: answer) as server:
        assert Client(endpoint(server.url)).ask("?") == "fine"


GZIP = {"Content-Encoding": "gzip"}
BOMB = gzip.compress(bytes(1 << 22))
LARGE = [
    Answer(bytes(1 << 16), times=1 << 14),  # 1 GiB
    Answer(bytes(1 << 16), 500, times=1 << 14),
    Answer(BOMB, headers=GZIP),
    Answer(BOMB, 401, headers=GZIP),
    Answer(gzip.compress(bytes(1 << 19)) * 3, headers=GZIP),  # in several members
    Answer(zlib.compress(bytes(1 << 22)), headers={"Content-Encoding": "deflate"}),
]


@pytest.mark.parametrize("answer", LARGE, ids=[str(number) for number in range(len(LARGE))])
def test_a_large_answer_is_refused_at_once(answer: Answer) -> None:
    with serving(lambda number, request: answer) as server:
        with pytest.raises(InputError, match="more than 1 MiB, .*; check --server") as error:
            Client(endpoint(server.url, limits=Limits(1 << 20, 20))).ask("?")
        assert len(server.requests) == 1
    assert "\n" not in str(error.value)


SLOW = [Answer("fine", trickle=0.01), Answer("fine", trickle=0.01, trickle_headers=True)]


@pytest.mark.parametrize("answer", SLOW, ids=["body", "headers"])
def test_an_answer_that_trickles_is_refused(answer: Answer) -> None:
    with serving(lambda number, request: answer) as server:
        begin = time.monotonic()
        with pytest.raises(InputError, match=r"takes more than 0\.3 seconds, .*; check --server"):
            Client(endpoint(server.url, limits=Limits(1 << 20, 0.3))).ask("?")
        assert time.monotonic() - begin < 2
        assert len(server.requests) == 1


def test_a_clock_ends_with_its_answer() -> None:
    with serving(lambda number, request: Answer("fine")) as server:
        client = Client(endpoint(server.url, limits=Limits(1 << 20, 0.2)))
        assert client.ask("?") == "fine"
        time.sleep(0.3)
        assert client.ask("?") == "fine"  # on the same connection, which nobody has ended
    clocks = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(each.finished.is_set() for each in clocks)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[" * 100_000, {}),
        (b'{"choices": ' + b"[" * 100_000, {}),
        (b'{"choices": [{"message": {"content": "a"}, "finish_reason": ' + b"[" * 100_000, {}),
        (b'{"choices": [{"message": {"content": "\\ud800"}}]}', {}),
        (b"no gzip", GZIP),
        (gzip.compress(COMPLETION)[:-9], GZIP),
        (b"?", {"Content-Encoding": "br"}),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_odd_bodies_are_tried_again(body: bytes, headers: dict[str, str], status: int) -> None:
    def script(number: int, request: Request) -> Answer:
        return Answer("fine") if number else Answer(body, status, headers=headers)

    with serving(script) as server:
        assert Client(endpoint(server.url)).ask("?") == "fine"
