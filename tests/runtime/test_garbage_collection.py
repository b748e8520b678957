import gc

import pytest

from locvlm.runtime.garbage_collection import pause_collection


def test_off_inside_and_on_after() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), pause_collection():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_stays_off_where_it_was() -> None:
    gc.disable()
    try:
        with pause_collection(), pause_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
