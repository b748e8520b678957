"""Video-ChatGPT's questions about clips (arXiv 2306.05424, VideoInstruct100K.json).

    [{"q": "What does the man do?", "a": "He runs.", "video_id": "v_k_ZXmr8pmrs"}, …]

Its own trainer reads LLaVA's form of the same (video_chatgpt_training.json), which is read, too.
"""

from __future__ import annotations

from locvlm.errors import InputError
from locvlm.records.fields import Record, decode_record
from locvlm.records.splitting import decode_json_piece

NAME = "video-chatgpt"


def decode_question(data: bytes, place: str) -> Record:
    """A record in ms-swift's two columns. Raises InputError that names the `place` where it has
    another form."""
    record = decode_json_piece(data, Record, place)
    if "conversations" in record:
        return decode_record(data, place)
    texts = [record.get(key) for key in ("q", "a", "video_id")]
    if not (all(isinstance(text, str) for text in texts) and texts[0] and texts[2]):
        raise InputError(f"{place}: not a row of {NAME}; it needs q, a and video_id, all texts")
    return dict(zip(("query", "response", "video"), texts, strict=True))
