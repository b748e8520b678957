"""Names of clips in other people's files, and of the files that they may mean."""

from __future__ import annotations

from pathlib import PurePosixPath

from locvlm.media.clips import ANIMATION_SUFFIXES, CLIP_SUFFIXES

ENDINGS = CLIP_SUFFIXES | ANIMATION_SUFFIXES
_FEATURES = frozenset({".pkl"})  # that Video-ChatGPT names in the place of the clip


def possible_names(clip: str) -> list[str]:
    """Those that the clip's file may have, its own first: one from YouTube ends in any way."""
    own = PurePosixPath(clip).suffix
    known = own.lower() in ENDINGS | _FEATURES
    stem = clip.removesuffix(own) if known else clip
    return list(dict.fromkeys((clip, *(f"{stem}{suffix}" for suffix in sorted(ENDINGS)))))
