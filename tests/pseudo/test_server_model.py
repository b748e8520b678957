"""A model behind a real HTTP server describes; the server fails in every way that it may."""

import base64
import io
import json
import socket
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import annotations as readers
from locvlm import cli
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.openai_client import Endpoint
from locvlm.pseudo.describe import PROMPT, DescriptionSummary, describe
from locvlm.pseudo.server_model import MAX_SIDE, ServerModel
from tests.chat_server import Answer, Request, serving

COUNT = 20  # pictures; three parts
WIDTH, HEIGHT = 60, 40  # pixels of the first; each further one is a pixel wider
REFUSED = Answer(b'{"error": {"message": "cannot identify image file"}}', 400)


def seen(request: Request) -> tuple[Image.Image, str]:
    """The picture and the question of a request."""
    [message] = request.body["messages"]
    shown, said = message["content"]
    assert (shown["type"], said["type"]) == ("image_url", "text")
    head, _, data = shown["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True))), said["text"]


def by_size(number: int, request: Request) -> Answer:
    picture, question = seen(request)
    category = question.split()[2]
    return Answer(f"A {category} in {picture.width} columns")


@pytest.fixture
def data(tmp_path: Path) -> AnnotationSet:
    """A dog and a bus in each picture."""
    (tmp_path / "photos").mkdir()
    things = (Object("dog", Box(1, 1, 9, 9)), Object("bus", Box(20, 10, 39, 30)))
    images = []
    for i in range(COUNT):
        Image.new("RGB", (WIDTH + i, HEIGHT)).save(tmp_path / f"photos/{i:02d}.png")
        images.append(AnnotatedImage(i, f"{i:02d}.png", WIDTH + i, HEIGHT, things))
    return AnnotationSet(images, ("dog", "bus"), Path("boxes.json"))


def endpoint(url: str, **how: object) -> Endpoint:
    return Endpoint(url, "m", **{"pause": 0.001, "timeout": 5, **how})  # type: ignore[arg-type]


def run(
    data: AnnotationSet, tmp_path: Path, model: Endpoint, workers: int = 4
) -> DescriptionSummary:
    return describe(data, tmp_path / "photos", tmp_path / "said.json", model=model, workers=workers)


def descriptions(tmp_path: Path) -> dict[str, list[tuple[str, ...]]]:
    found = readers.read("coco", tmp_path / "said.json").images
    return {image.file_name: [item.descriptions for item in image.objects] for image in found}


WANTED = {
    f"{i:02d}.png": [(f"A {name} in {WIDTH + i} columns",) for name in ("dog", "bus")]
    for i in range(COUNT)
}


def test_each_object_is_asked_about_once(data: AnnotationSet, tmp_path: Path) -> None:
    with serving(by_size) as server:
        found = run(data, tmp_path, endpoint(server.url, key="secret"))
        asked = Counter((seen(r)[0].size, seen(r)[1]) for r in server.requests)
        assert {r.headers["Authorization"] for r in server.requests} == {"Bearer secret"}
    assert asked == {
        ((WIDTH + i, HEIGHT), PROMPT.replace("{category}", name)): 1
        for i in range(COUNT)
        for name in ("dog", "bus")
    }
    assert (found.pictures, found.asked, found.kept) == (COUNT, 2 * COUNT, 2 * COUNT)
    assert descriptions(tmp_path) == WANTED
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in written)
    pseudo = json.loads((tmp_path / "said.json").read_text())["info"]["pseudo"]
    assert (pseudo["model"], pseudo["server"]) == ("m", {"temperature": 0})


def test_pictures_are_sent_upright(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 30:] = (200, 30, 30)  # stored: the right half red; displayed: the lower half
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    Image.fromarray(pixels).save(tmp_path / "photos/a.png", exif=exif)
    image = AnnotatedImage(1, "a.png", 40, 60, (Object("dog", Box(1, 1, 9, 9)),))
    with serving(by_size) as server:
        run(AnnotationSet([image], ("dog",), Path("b.json")), tmp_path, endpoint(server.url))
        [(sent, _)] = map(seen, server.requests)
    assert sent.size == (40, 60)
    upper, lower = np.asarray(sent)[[10, 50], 20].astype(int)
    assert abs(upper).max() < 10
    assert abs(lower - (200, 30, 30)).max() < 10


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_at_the_same_time(data: AnnotationSet, tmp_path: Path, workers: int) -> None:
    def script(number: int, request: Request) -> Answer:
        return Answer(by_size(number, request).body, wait=0.02)

    with serving(script) as server:
        run(data, tmp_path, endpoint(server.url), workers)
        assert server.most_at_once == workers


def test_a_bad_day_of_the_server(data: AnnotationSet, tmp_path: Path) -> None:
    bad = (Answer(b"", 429), Answer(b"", 503), Answer(b"{"), Answer("half", cut=True))
    tries: Counter[tuple[int, str]] = Counter()

    def script(number: int, request: Request) -> Answer:
        picture, question = seen(request)
        tries[picture.width, question] += 1
        if tries[picture.width, question] <= 2:
            return bad[number % 4]
        return by_size(number, request)

    with serving(script) as server:
        run(data, tmp_path, endpoint(server.url))
        assert len(server.requests) == 3 * 2 * COUNT
    assert descriptions(tmp_path) == WANTED


def test_a_picture_that_the_server_refuses_is_listed(data: AnnotationSet, tmp_path: Path) -> None:
    def script(number: int, request: Request) -> Answer:
        picture, _ = seen(request)
        return REFUSED if picture.width == WIDTH + 5 else by_size(number, request)

    with serving(script) as server:
        found = run(data, tmp_path, endpoint(server.url))
    assert list(found.skipped) == ["05.png"]
    assert found.skipped["05.png"] == (
        f"{tmp_path / 'photos/05.png'}: the server refuses it: "
        "HTTP 400 (cannot identify image file)"
    )
    assert found.pictures == COUNT
    assert descriptions(tmp_path) == WANTED | {"05.png": [(), ()]}


def test_a_reply_that_the_server_cut_is_no_description(data: AnnotationSet, tmp_path: Path) -> None:
    def script(number: int, request: Request) -> Answer:
        picture, _ = seen(request)
        finish = "length" if picture.width == WIDTH + 5 else "stop"
        return Answer(by_size(number, request).body, finish=finish)

    with serving(script) as server:
        found = run(data, tmp_path, endpoint(server.url))
    assert found.drops == {"descriptions that were cut at the limit of tokens": 2}
    assert descriptions(tmp_path) == WANTED | {"05.png": [(), ()]}


def test_a_server_that_refuses_all_pictures_ends_the_work(
    data: AnnotationSet, tmp_path: Path
) -> None:
    with serving(lambda number, request: REFUSED) as server:
        with pytest.raises(InputError, match=r"HTTP 400 \(cannot identify image file\); check"):
            run(data, tmp_path, endpoint(server.url))
        assert len(server.requests) <= 4 * 3
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_failure_keeps_the_parts_that_are_done(data: AnnotationSet, tmp_path: Path) -> None:
    def script(number: int, request: Request) -> Answer:
        picture, _ = seen(request)
        last = picture.width >= WIDTH + 16  # of the third part
        return Answer(b"", 500) if last else by_size(number, request)

    with serving(script) as server, pytest.raises(InputError, match="HTTP 500, 6 times") as error:
        run(data, tmp_path, endpoint(server.url), 1)
    assert "\n" not in str(error.value)
    parts = sorted(path.name for path in (tmp_path / "said.json.parts").iterdir())
    assert parts == ["000000.jsonl", "000001.jsonl", "settings.json"]
    with serving(by_size) as server:  # elsewhere
        run(data, tmp_path, endpoint(server.url), 3)
        assert len(server.requests) == 2 * 4
    assert descriptions(tmp_path) == WANTED


def test_other_settings_are_other_work(data: AnnotationSet, tmp_path: Path) -> None:
    with serving(
        lambda number, request: by_size(number, request) if number < 30 else Answer(b"", 401)
    ) as s:
        with pytest.raises(InputError, match="HTTP 401; check --server, --model"):
            run(data, tmp_path, endpoint(s.url), 1)
        with pytest.raises(InputError, match="unfinished work with server {'temperature': 0}, not"):
            run(data, tmp_path, endpoint(s.url, settings={"temperature": 1}))


def test_all_threads_end_with_the_failure_of_one() -> None:
    """None goes on asking, and none says only that it was told to stop."""
    with serving(lambda number, request: Answer(b"", 500)) as server:
        with ServerModel(endpoint(server.url), parallel=2) as served:
            picture = Image.new("RGB", (8, 8))
            for _ in range(2):
                with pytest.raises(InputError, match="HTTP 500, 6 times in a row"):
                    served.answer_all([(picture, ["?"])])
        assert len(server.requests) == 6


def test_nothing_to_ask() -> None:
    with ServerModel(endpoint("http://127.0.0.1:9")) as served:
        assert served.answer_all([]) == []
        assert served.answer_all([(Image.new("RGB", (8, 8)), [])]) == [[]]
        [refusal] = served.answer_all([(Image.new("L", (MAX_SIDE + 1, 1)), ["?"])])
    assert "longer than 65500 pixels" in str(refusal)


# The command line


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "photos/a.png")
    boxes = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8]}],
        "categories": [{"id": 1, "name": "dog"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    files = ["--annotations", str(tmp_path / "boxes.json"), "--images", str(tmp_path / "photos")]
    return ["pseudo", "describe", *files, "--out", str(tmp_path / "said.json")]


def test_flags(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " mine\n")
    with serving(by_size) as server:
        more = ["--server", server.url, "--model", "big", "--server-setting", "top_p=0.5"]
        assert cli.main([*arguments, *more]) == 0
        [request] = server.requests
    assert request.headers["Authorization"] == "Bearer mine"
    assert {key: request.body[key] for key in ("model", "temperature", "max_tokens", "top_p")} == {
        "model": "big",
        "temperature": 0,
        "max_tokens": 96,
        "top_p": 0.5,
    }
    assert descriptions(tmp_path) == {"a.png": [(f"A dog in {WIDTH} columns",)]}


def test_nobody_there(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("locvlm.openai_client.LONGEST", 0.001)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    assert cli.main([*arguments, "--server", url, "--model", "m"]) == 2
    line = capsys.readouterr().err
    assert f"{url}/chat/completions: no answer (NewConnectionError), 6 times in a row" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--server", "nowhere"], "--server 'nowhere': not the URL of a server"),
        (["--server-setting", "top_p=1"], "--server-setting: of which server?"),
        (["--server", "http://a", "--temperature", "1"], "the server draws; give --server-setting"),
        (["--temperature", "-1"], "temperature must be 0 (greedy)"),
        (["--server", "http://a", "--server-setting", "top_p"], "not a setting"),
        (["--server", "http://a", "--engine", "ray"], "the server does the work"),
        (["--server", "http://a", "--workers", "0"], "at least 1"),
    ],
)
def test_bad_flags(
    arguments: list[str], flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*arguments, *flags]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
