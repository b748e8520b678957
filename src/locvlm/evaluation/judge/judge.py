"""Verdicts on many answers: from the cache what is there, from the model the rest."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.judge.cache import CachedReply, ReplyCache
from locvlm.evaluation.judge.protocol import PROMPT, Case, Verdict, read_verdict, render_prompt
from locvlm.io.digests import digest_bytes
from locvlm.openai_client import Client, Endpoint, Refused, Spent
from locvlm.progress import count_progress

PARALLEL = 4  # requests under way at a time
MAX_REPLIES = 2  # times that a case is asked about, if what comes first cannot be read


@dataclass(frozen=True)
class Judge:
    """Who judges, and how. Raises InputError where a number is out of range."""

    endpoint: Endpoint
    prompt: str = PROMPT
    parallel: int = PARALLEL
    budget: int | None = None  # requests that may be made; None: any number

    def __post_init__(self) -> None:
        if self.parallel < 1:
            raise InputError(f"--judge-parallel must be at least 1, not {self.parallel}")
        if self.budget is not None and self.budget < 0:
            raise InputError(f"--judge-budget must be 0 or more, not {self.budget}")


@dataclass(frozen=True)
class JudgeResult:
    """What came of it."""

    verdicts: list[Verdict | None]  # one per case, in their order; None: no reply can be read
    requests: int  # made for it, further tries included


def judge_all(judge: Judge, cases: Sequence[Case], path: Path) -> JudgeResult:
    """A verdict on each case; equal cases are asked about once, and all replies kept at `path`.

    Raises:
        InputError: the server refuses or fails, or the budget is used up. What was answered until
            then is kept, so that the same call goes on from there.
    """
    cache = ReplyCache(path)
    keys = [_key(judge, case) for case in cases]
    unsettled = {
        key: case
        for key, case in zip(keys, cases, strict=True)
        if not _is_settled(cache.replies(key))
    }
    requests = _ask_all(judge, unsettled, cache) if unsettled else 0
    return JudgeResult([_first_verdict(cache.replies(key)) for key in keys], requests)


def _key(judge: Judge, case: Case) -> str:
    """Changes with all that may change a reply; the server's address is not among it."""
    identity = (judge.endpoint.model, judge.prompt, dict(judge.endpoint.settings), case)
    return digest_bytes(msgspec.json.encode(identity, order="sorted"))


def _is_settled(replies: Sequence[str]) -> bool:
    return len(replies) >= MAX_REPLIES or _first_verdict(replies) is not None


def _first_verdict(replies: Sequence[str]) -> Verdict | None:
    return next((verdict for reply in replies if (verdict := read_verdict(reply))), None)


def _ask_all(judge: Judge, cases: Mapping[str, Case], cache: ReplyCache) -> int:
    """Ask until each case is settled; returns the number of requests."""
    client = Client(judge.endpoint, budget=judge.budget, parallel=judge.parallel)
    left = {key: case for key, case in cases.items() if not _is_settled(cache.replies(key))}
    todo, lock = iter(left.items()), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                key, case = next(todo, ("", None))
            if case is None:
                return
            while not _is_settled(cache.replies(key)):
                reply = _request(client, render_prompt(judge.prompt, case))
                cache.add(CachedReply(key, case.question, case.truth, case.prediction, reply))
            advance(1)

    try:
        with (
            count_progress(
                len(cases), f"judge · {judge.endpoint.model}", len(cases) - len(left)
            ) as advance,
            ThreadPoolExecutor(judge.parallel) as pool,
        ):
            workers = [pool.submit(work) for _ in range(judge.parallel)]
            try:
                for worker in as_completed(workers):
                    worker.result()
            finally:
                client.stop()
    except Spent:
        done = sum(_is_settled(cache.replies(key)) for key in cases)
        raise InputError(
            f"--judge-budget {judge.budget} is used up, and {len(cases) - done} verdicts are still "
            f"missing; those so far are in {cache.path}, and the same command goes on from there"
        ) from None
    return client.requests


def _request(client: Client, text: str) -> str:
    """What is said to it; nothing where a content filter keeps it from the model."""
    try:
        return client.ask(text)
    except Refused as refusal:
        if not refusal.filtered:
            raise
        return ""
