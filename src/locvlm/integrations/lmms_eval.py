"""A model of lmms-eval (https://github.com/EvolvingLMMs-Lab/lmms-eval, its `lmms` interface).

    lmms-eval --model locvlm --model_args pretrained=runs/mine/model --tasks pope

lmms-eval finds it by the entry point ``lmms_eval.models``. Questions about a picture that follow
each other are asked together. Decoding is greedy, or what a task's `temperature` draws by the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest
from PIL import Image

from locvlm.errors import InputError
from locvlm.inference.predictor import MAX_NEW_TOKENS, Predictor, load_predictor
from locvlm.inference.sampling import Sampling, sampling_at

# Settings that leave tokens out, with the value that leaves out none
_CUTS = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}


def manifest() -> ModelManifest:
    """What lmms-eval registers."""
    return ModelManifest("locvlm", simple_class_path=f"{__name__}.LocVLM")


class LocVLM(lmms):  # type: ignore[misc]  # lmms-eval has no types
    """A LocVLM model.

    Args:
        pretrained: a shipped model, or the folder of an adapter or of a whole model.
        batch_size: questions asked together.
        seed: of what is drawn where a task has a temperature.
        unused: arguments that lmms-eval gives to every model, such as the device.
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str = "tiny",
        batch_size: int | str = 32,
        seed: int | str = 0,
        **unused: Any,
    ):
        super().__init__()
        self.predictor = load_predictor(pretrained)
        self.seed = int(seed)
        self._drawing: dict[Sampling, Predictor] = {}  # of the same model
        self.batch_size = int(batch_size)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """The answers, each cut before the first of the task's stop texts."""
        answers: list[str] = []
        for start in range(0, len(requests), self.batch_size):
            batch = requests[start : start + self.batch_size]
            for sampling, alike in groupby(batch, key=self._sampling):
                answers += self._answer(self._predictor(sampling), list(alike))
        return answers

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """The log-likelihood of each continuation, in nats, and whether it is the greedy answer."""
        found = []
        for request in requests:
            context, target, visual, doc_id, task, split = request.args
            document = self.task_dict[task][split][doc_id]
            answer = target if isinstance(target, str) else target(document)
            image = _single_image(visual(document), task)
            [log_prob] = self.predictor.log_likelihoods([(image, [_text(context)])], [answer])
            [greedy] = self.predictor.answer(image, [_text(context)])
            found.append((log_prob, greedy.startswith(answer.strip())))
        return found

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not supported: every question stands alone."""
        raise NotImplementedError("LocVLM answers single questions; choose tasks of one round")

    def _sampling(self, request: Instance) -> Sampling | None:
        """How the task wants its answer. Raises InputError for what is not done here."""
        settings = request.args[1]
        default = 1.0 if settings.get("do_sample") else 0.0
        temperature = settings.get("temperature")
        temperature = default if temperature is None else float(temperature)
        if settings.get("do_sample") is False or temperature == 0:
            return None
        cut = [name for name, none in _CUTS.items() if settings.get(name) not in (None, none)]
        if cut:
            raise InputError(
                f"{request.args[-2]}: samples with {cut[0]} {settings[cut[0]]}; LocVLM draws from "
                "the whole vocabulary, by temperature alone: leave it out of the task"
            )
        return sampling_at(temperature, self.seed)

    def _predictor(self, sampling: Sampling | None) -> Predictor:
        if sampling is None:
            return self.predictor
        if sampling not in self._drawing:
            known = self.predictor
            parts = (known.model, known.processor, known.coordinates)
            self._drawing[sampling] = Predictor(*parts, name=known.name, sampling=sampling)
        return self._drawing[sampling]

    def _answer(self, predictor: Predictor, requests: Sequence[Instance]) -> list[str]:
        """The answers to requests whose limits of tokens may differ: the largest is taken."""
        limit = max(_limit(request.args[1]) for request in requests)
        queries = []
        for _, group in groupby(requests, key=lambda request: request.args[3:]):
            same = list(group)
            queries.append((self._image(same[0]), [_text(request.args[0]) for request in same]))
        answers = predictor.answer_all(queries, max_new_tokens=limit)
        texts = [text for group in answers for text in group]
        return [
            _cut(text, request.args[1].get("until", ()))
            for text, request in zip(texts, requests, strict=True)
        ]

    def _image(self, request: Instance) -> Image.Image:
        visual: Callable[[Any], list[Image.Image]]
        _, _, visual, doc_id, task, split = request.args
        return _single_image(visual(self.task_dict[task][split][doc_id]), task)


def _single_image(images: list[Image.Image], task: str) -> Image.Image:
    if len(images) != 1 or not isinstance(images[0], Image.Image):
        raise InputError(f"{task}: asks about {len(images)} pictures or clips; LocVLM reads one")
    return images[0]


def _text(context: str) -> str:
    return context.replace("<image>", "").strip()


def _limit(settings: dict[str, Any]) -> int:
    return int(settings.get("max_new_tokens", MAX_NEW_TOKENS))


def _cut(text: str, until: str | Sequence[str]) -> str:
    for stop in [until] if isinstance(until, str) else until:
        text = text.partition(stop)[0] if stop else text
    return text
