"""On Ray Data as here: every row once, whichever process is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.parallel import ray_data
from locvlm.parallel.parts import run_in_parts
from locvlm.parallel.workers import map_as_completed
from locvlm.pseudo.describe import describe

ray = pytest.importorskip("ray")

COUNT, BATCH = 30, 3


class Row(msgspec.Struct, frozen=True):
    number: int
    square: int


WANTED = [Row(number, number * number) for number in range(COUNT)]


def square(log: Path, numbers: Sequence[int]) -> list[Row]:
    """Each picture takes a while, and is written down with the process that did it."""
    time.sleep(0.1)
    with log.open("a") as file:
        file.write("".join(f"{os.getpid()} {number}\n" for number in numbers))
    return [Row(number, number * number) for number in numbers]


def refuse(log: Path, numbers: Sequence[int]) -> list[Row]:
    if 12 in numbers:
        raise InputError("twelve")
    return square(log, numbers)


def mistake(number: int) -> int:
    return {}[number]


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def devices(folder: Path, number: int) -> tuple[int, str]:
    """The process and its GPUs, once a second process is there."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES", "")


class Unknown:
    """Is not installed where it is sent to."""

    def __call__(self, number: int) -> int:
        return number

    def __reduce__(self) -> tuple[object, ...]:
        from importlib import import_module

        return import_module, ("not_installed_there",)


def work(function: object, log: Path, parts: Path, engine: str = "ray") -> list[Row]:
    return list(
        run_in_parts(
            partial(function, log),  # type: ignore[arg-type]
            range(COUNT),
            parts,
            {"model": "a"},
            kind=Row,
            doing="Working",
            batch_size=BATCH,
            engine=engine,  # type: ignore[arg-type]
            workers=2,
        )
    )


def done(log: Path) -> list[tuple[int, int]]:
    """Process and number of each picture, in the order that they were done."""
    pairs = [line.split() for line in log.read_text().splitlines()]
    return [(int(process), int(number)) for process, number in pairs]


def files(parts: Path) -> list[Path]:
    return sorted(parts.glob("0*.jsonl"))


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two of each: CPUs, and GPUs that are none but are handed out as such."""
    ray.shutdown()
    how = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    ray.init(num_cpus=2, num_gpus=2, **how)
    yield
    ray.shutdown()


def test_nothing_to_do() -> None:
    assert list(map_as_completed(len, [], engine="ray")) == []


def test_the_same_rows_as_here(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert work(square, log, tmp_path / "parts") == WANTED
    assert sorted(number for _, number in done(log)) == list(range(COUNT))
    assert os.getpid() not in {process for process, _ in done(log)}
    there = [file.read_bytes() for file in files(tmp_path / "parts")]
    work(square, log, tmp_path / "here", engine="local")
    assert there == [file.read_bytes() for file in files(tmp_path / "here")]


def test_a_killed_actor_costs_nothing(tmp_path: Path) -> None:
    log, parts = tmp_path / "log", tmp_path / "parts"
    killed: list[int] = []

    def kill_one() -> None:
        while not files(parts):
            time.sleep(0.01)
        killed.append(done(log)[0][0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    assert work(square, log, parts) == WANTED
    killer.join()
    numbers = [number for _, number in done(log)]
    assert set(numbers) == set(range(COUNT))
    assert len(numbers) <= COUNT + 2 * BATCH  # what it had under way, once more
    after = done(log)[[process for process, _ in done(log)].index(killed[0]) :]
    assert {process for process, _ in after} - {killed[0]}  # others went on


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    log, parts = tmp_path / "log", tmp_path / "parts"
    code = (
        "from pathlib import Path\n"
        "from tests.pseudo import test_ray_data as there\n"
        f"there.work(there.square, Path({str(log)!r}), Path({str(parts)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    while len(files(parts)) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = {int(file.stem): file.stat().st_mtime_ns for file in files(parts)}
    assert 3 <= len(kept) < COUNT // BATCH
    again = tmp_path / "again"
    assert work(square, again, parts) == WANTED
    numbers = [number for _, number in done(again)]
    assert sorted(numbers) == [n for n in range(COUNT) if n // BATCH not in kept]
    now = {int(file.stem): file.stat().st_mtime_ns for file in files(parts)}
    assert {part: now[part] for part in kept} == kept


def test_errors_come_through_and_keep_what_is_done(tmp_path: Path) -> None:
    log, parts = tmp_path / "log", tmp_path / "parts"
    with pytest.raises(InputError) as caught:
        work(refuse, log, parts)
    assert str(caught.value) == "twelve"
    kept = {int(file.stem) for file in files(parts)}
    assert 4 not in kept
    again = tmp_path / "again"
    assert work(square, again, parts, engine="local") == WANTED
    assert not kept & {number // BATCH for _, number in done(again)}


def test_a_mistake_in_the_code_says_where() -> None:
    with pytest.raises(KeyError) as caught:
        list(map_as_completed(mistake, [1], engine="ray"))
    assert "return {}[number]" in "".join(caught.value.__notes__)


def test_a_batch_that_kills_every_actor_ends_the_work_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_data, "RETRIES", 0)
    with pytest.raises(InputError, match="Ray gave up on a batch") as caught:
        list(map_as_completed(die, range(9), engine="ray", workers=2))
    assert "\n" not in str(caught.value)


def test_machines_without_the_function_end_the_work_with_one_line() -> None:
    with pytest.raises(InputError, match="No module named 'not_installed_there'") as caught:
        list(map_as_completed(Unknown(), range(9), engine="ray", workers=2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("gpu", "seen"), [(True, {"0", "1"}), (False, {""})])
def test_a_gpu_for_each_actor(gpu: bool, seen: set[str], tmp_path: Path) -> None:
    found = map_as_completed(partial(devices, tmp_path), range(6), engine="ray", workers=2, gpu=gpu)
    by_process = dict(device for _, device in found)
    assert len(by_process) == 2
    assert set(by_process.values()) == seen


def test_more_workers_than_room(tmp_path: Path) -> None:
    found = list(map_as_completed(partial(devices, tmp_path), range(6), engine="ray", workers=5))
    assert sorted(place for place, _ in found) == list(range(6))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_real_model_describes_as_here(small_base: Path, tmp_path: Path) -> None:
    """Pictures that cannot be read are rows with an error."""
    photos = tmp_path / "photos"
    photos.mkdir()
    images = []
    for i in range(12):
        Image.new("RGB", (60, 40), (20 * i, 90, 250 - 20 * i)).save(photos / f"{i:02d}.png")
        things = (Object("dog", Box(1, 1, 9, 9)), Object("cat", Box(20, 10, 39, 30)))
        images.append(AnnotatedImage(i, f"{i:02d}.png", 60, 40, things))
    (photos / "03.png").write_bytes(b"no picture")
    data = AnnotationSet(images, ("dog", "cat"), Path("boxes.json"))
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    describe(data, photos, here, model=str(small_base))
    found = describe(data, photos, there, model=str(small_base), engine="ray", workers=2)
    assert list(found.skipped) == ["03.png"]
    assert found.asked == 22
    assert here.read_bytes() == there.read_bytes()
