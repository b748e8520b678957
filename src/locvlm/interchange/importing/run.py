"""From another trainer's data set of text to ours, with its locations as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from locvlm.annotations.drops import Drops, examples_of
from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError
from locvlm.geometry import Frame, Point, Size
from locvlm.instructions import faces
from locvlm.instructions.base import MIXED, Conversation, Instruction
from locvlm.instructions.clip_faces import check_copyable, is_moving
from locvlm.instructions.dataset import BLURRED_IMAGES, Manifest, check_output_folder, path_from
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.instructions.face_detector import check_opencv
from locvlm.instructions.image_samples import sample_images
from locvlm.interchange.image_sizes import ImageSizes
from locvlm.interchange.importing.merging import gather_clips, merge_neighbours
from locvlm.interchange.importing.messages import (
    BBOX,
    LocatedMessage,
    fill_objects,
    make_instruction,
    parse_message,
    unparsed_reason,
)
from locvlm.interchange.importing.video_chatgpt import NAME as VIDEO_CHATGPT
from locvlm.interchange.importing.video_chatgpt import decode_question
from locvlm.interchange.plausibility import OBJECTS, Plausibility
from locvlm.io.confined_paths import relative_inside
from locvlm.io.digests import digest_file
from locvlm.io.outputs import Reads
from locvlm.io.reading import is_file
from locvlm.media.clip_names import possible_names
from locvlm.media.headers import Header
from locvlm.media.image_files import check_folder
from locvlm.media.images import open_image
from locvlm.media.opening import read_media_header
from locvlm.progress import track
from locvlm.records.fields import Record, clip_names, decode_record, image_names
from locvlm.records.splitting import iterate_records
from locvlm.records.turns import turns_of

ONE_IMAGE = "write a record for each picture, with the questions whose locations are on it"
FEW = 3  # groups of numbers that are no location: fewer may be there by chance


def import_file(
    file: Path,
    source: str,
    coordinates: CoordinateFormat,
    images: Path,
    out: Path,
    *,
    model: str | None = None,
    blur_faces: bool = False,
    workers: int = 1,
) -> Manifest:
    """Read a data set of text and write it as ours into the folder `out`.

    Each question with its answer becomes an instruction of its own: one that leans on an earlier
    answer does so no more. Records of one picture that follow each other become one conversation,
    and so do all records of one clip.

    Args:
        file: JSON or JSON lines (see `locvlm.records.fields`).
        source: the project whose form it has: llava, qwen, swift, trl or video-chatgpt.
        coordinates: the format of those in its texts.
        model: what they are written for, as `locvlm export --model` writes them: they are in the
            frame that its processor gives; None: in that of the format's models.
        images: folder of the pictures or clips.
        out: new or empty folder, or one that holds an older data set, which is replaced.
        blur_faces: copy the pictures to the data set, with blurred faces (see `faces`).
        workers: processes that blur.

    Returns:
        The manifest, as it was written; its `drops` count all that could not be taken over.

    Raises:
        InputError: something cannot be read, or no instruction came out.
    """
    check_output_folder(out, Reads([file, images, *_model_folders(model)]))
    check_folder(images)
    if blur_faces:
        check_opencv()
    text_frame_of = None
    if model is not None:
        from locvlm.models.load import load_processor

        processor, coordinates = load_processor(model, speech=coordinates)
        text_frame_of = partial(coordinates.frame_on, processor)
    importer = Importer(source, coordinates, images, text_frame_of, decode=blur_faces)
    conversations = merge_neighbours(gather_clips([*importer.conversations(file)], importer.clips))
    drops = +importer.drops
    importer.plausibility.check(str(file))
    importer.objects.check(str(file))
    if not conversations:
        raise _no_instruction(file, source, importer)
    items = [item for conversation in conversations for item in conversation.instructions]
    unparsed = drops[unparsed_reason(coordinates)]
    if unparsed >= max(FEW, len(items)) and not any(item.locations for item in items):
        raise InputError(
            f"{file}: none of its {unparsed} groups of numbers is a location in "
            f"{coordinates.name}; give the --format that they are written in "
            f"(the first is {importer.unread!r}, {importer.unread_at})"
        )
    blurred: faces.BlurSummary | None = None
    if blur_faces:
        names = [conversation.image for conversation in conversations]
        images, originals = out / BLURRED_IMAGES, images
        blurred = faces.blur_faces(names, originals, images, workers=workers)
    manifest = Manifest(
        annotations=str(file.resolve()),
        annotations_sha256=digest_file(file),
        images=str(images.resolve()),
        images_relative=path_from(out, images),
        image_samples=sample_images(images, [row.image for row in conversations], 0),
        reader=source,
        coordinates={"format": coordinates.name, "options": coordinates.options}
        | ({"model": model} if model else {}),
        categories=(),
        objectives=(MIXED,),
        location=_location_kinds(items),
        pictures=len(conversations),
        counts={MIXED: len(items)},
        drops=dict(drops),
        examples=examples_of(drops),
        remarks=(
            *filter(None, [importer.plausibility.tell_assumption()]),
            *(blurred.remarks if blurred else ()),
        ),
        unusable_images=importer.unusable,
        **(blurred.fields if blurred else {}),
    )
    return write_dataset(out, conversations, manifest=manifest)


def _model_folders(model: str | None) -> list[Path]:
    if model is None:
        return []
    from locvlm.models.folders import user_folders

    return user_folders(model)


def _no_instruction(file: Path, source: str, importer: Importer) -> InputError:
    """That nothing came of a file, and why."""
    drops = +importer.drops
    firsts = {why: f" (the first: {one})" for why, one in examples_of(drops).items()}
    counts = [f"{reason}: {count}{firsts.get(reason, '')}" for reason, count in drops.items()]
    reasons = ", ".join([*counts, *list(importer.unusable.values())[:1]])
    way = f"; {ONE_IMAGE}" if "records with several pictures" in drops else ""
    return InputError(
        f"{file}: gives no instruction as {source} data ({reasons or 'it is empty'}){way}"
    )


class Importer:
    """Reads records, and counts in `drops` what it leaves out or changes."""

    def __init__(
        self,
        source: str,
        coordinates: CoordinateFormat,
        images: Path,
        text_frame_of: Callable[[Size], Frame] | None = None,
        *,
        decode: bool = False,
    ):
        """`text_frame_of` a picture's size: of its texts' numbers, if not as the format has them.

        `decode`: all pixels and frames of a file, to leave it out where one is broken.
        """
        self.decode_record = decode_question if source == VIDEO_CHATGPT else decode_record
        self.source = "llava" if source == VIDEO_CHATGPT else source
        self.coordinates = coordinates
        self.text_frame_of = text_frame_of or coordinates.frame
        self.images = images
        self.sizes = ImageSizes(images, read=_decode_media if decode else read_media_header)
        self.drops = Drops()
        self.plausibility = Plausibility(coordinates, "--format")
        self.objects = Plausibility(get("pixels"), OBJECTS)
        self._place = ""  # of the record that is read, in its file
        self.unread = ""  # the first text that looks like a location and was not read
        self.unread_at = ""  # its place: file and line
        self.unusable: dict[str, str] = {}  # pictures that cannot be read -> why
        self.clips: dict[str, str | None] = {}  # as they are named -> file; None: none is there

    def conversations(self, file: Path) -> Iterator[Conversation]:
        """The records that give instructions."""
        for data, place in track(iterate_records(file), "Importing"):
            self._place = place.removeprefix(str(file)).lstrip(",: ")
            conversation = self.conversation(self.decode_record(data, place), file)
            self.unread_at = self.unread_at or (place if self.unread else "")
            if conversation:
                yield conversation

    def conversation(self, record: Record, file: Path) -> Conversation | None:
        """One record; None, and counted, where nothing of it can be used."""
        name = self._image_name(record)
        if name is None:
            return None
        try:
            size = self.sizes.of_file(name) if clip_names(record) else self.sizes.of(record)
            if size is None:
                self._leave_out("records whose picture's file is missing", name)
                return None
            messages = self._locate_messages(record, size)
        except InputError as error:  # it cannot be read, or is too narrow for the format's models
            self._leave_out("records whose picture cannot be used", name)
            self.unusable[name] = str(error)
            return None
        except ValueError:
            self._leave_out("records whose objects do not fit their text")
            return None
        items = self._instructions(messages)
        if not items:
            self._leave_out("records without a question and its answer")
            return None
        return Conversation(name, *size, tuple(items), file.name)

    def _leave_out(self, reason: str, name: str = "") -> None:
        """Count the record; the first of each reason is told with the name of its picture."""
        self.drops.note(reason, ", ".join(filter(None, [self._place, name])))

    def _image_name(self, record: Record) -> str | None:
        """The name of the record's one picture or clip, relative to the folder."""
        names, clips = image_names(record), clip_names(record)
        if len(names) + len(clips) != 1:
            count = "several pictures" if names or clips else "no picture"
            self._leave_out(f"records with {count}")
            return None
        [name] = names or clips
        path = relative_inside(self.images, name)
        if path is None:
            self._leave_out("records whose picture is not in the folder of the pictures", name)
            return None
        inside = path.as_posix()
        if names:
            return inside
        found = self._find_clip(inside)
        if found is None:
            self._leave_out("records whose clip's file is missing", name)
        return found

    def _find_clip(self, name: str) -> str | None:
        """The file of a clip, with this ending or another."""
        if name not in self.clips:
            files = (each for each in possible_names(name) if is_file(self.images / each))
            self.clips[name] = next(files, None)
        return self.clips[name]

    def _locate_messages(self, record: Record, size: Size) -> list[LocatedMessage]:
        """The messages. Raises ValueError where ms-swift's objects do not fit them."""
        turns = turns_of(record, self.source)
        placed = any(BBOX in turn.text for turn in turns)
        if placed or (self.source == "swift" and record.get("objects")):
            return fill_objects(turns, record.get("objects"), size, self.drops, self.objects)
        frame = self.text_frame_of(size)
        messages = []
        for turn in turns:
            found = self.coordinates.parse_report(turn.text, frame)
            self.plausibility.add(turn.text, found, size)
            before = self.drops[unparsed_reason(self.coordinates)]
            said = turn.has_text or turn.role not in ("user", "assistant")
            self.drops["messages without text, such as calls of tools"] += not said
            messages.append(parse_message(turn, self.coordinates, frame, self.drops, found))
            if self.drops[unparsed_reason(self.coordinates)] > before and not self.unread:
                self.unread = turn.text[slice(*found.unread[0])][:80]
        return messages

    def _instructions(self, messages: Sequence[LocatedMessage]) -> list[Instruction]:
        """Each question with the answer that follows it."""
        items, used = [], 0
        for question, answer in pairwise(messages):
            roles = (question.role, answer.role)
            if roles != ("user", "assistant") or not (question.has_text and answer.has_text):
                continue
            used += 2
            if not answer.text.strip():  # it would teach to say nothing
                self.drops["questions whose answer is empty"] += 1
                continue
            item = make_instruction(question, answer, self.coordinates)
            self.drops["questions with a {loc} or {repr} of their own"] += item is None
            items += [item] if item else []
        self.drops["messages that are no question with its answer"] += len(messages) - used
        return items


def _decode_media(path: Path) -> Header:
    """As `read_media_header`; what is broken further on is an InputError, too."""
    if is_moving(path):
        check_copyable(path)
    else:
        open_image(path)
    return read_media_header(path)


def _location_kinds(items: Sequence[Instruction]) -> str:
    """What the locations are, as the manifest says it."""
    kinds = {isinstance(place, Point) for item in items for place in item.locations}
    return {frozenset({True}): "point", frozenset({True, False}): "both"}.get(
        frozenset(kinds), "box"
    )
