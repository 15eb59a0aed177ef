"""Arrays in and out: batches, strides, `out=`, other packages' arrays, threads."""

from __future__ import annotations

import array
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import images

import frit


def test_a_batch_is_its_images(small: frit.Model) -> None:
    batch = images(5)
    together = small(batch)
    assert together.shape == (5, 3)
    assert together.dtype == np.float32
    for image, row in zip(batch, together, strict=True):
        alone = small(image)
        assert alone.shape == (3,)
        assert np.array_equal(alone, row)
        assert np.array_equal(small(image[None])[0], row)
    assert small(batch[:0]).shape == (0, 3)


def test_probabilities_add_up(small: frit.Model) -> None:
    assert np.allclose(small(images(3)).sum(axis=1), 1, atol=1e-6)


def test_strides_are_taken_as_they_are(small: frit.Model) -> None:
    batch = images(4)
    expected = small(batch)
    transposed = np.ascontiguousarray(batch.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    wide = np.zeros((8, 16, 12, 6), np.float32)
    wide[::2, :, :, ::2] = batch
    backwards = np.ascontiguousarray(batch[::-1, ::-1])[::-1, ::-1]
    odd = np.frombuffer(b"x" + batch.tobytes(), np.uint8)[1:].view(np.float32).reshape(batch.shape)
    repeated = np.broadcast_to(batch[0], batch.shape)
    for lying in (transposed, wide[::2, :, :, ::2], backwards, odd, np.asfortranarray(batch)):
        assert np.array_equal(small(lying), expected)
    assert np.array_equal(small(repeated), np.repeat(expected[:1], 4, axis=0))


def test_what_has_the_buffer_protocol_or_dlpack_is_an_array(small: frit.Model) -> None:
    class Tensor:
        """What has DLPack and nothing else."""

        def __init__(self, values: np.ndarray) -> None:
            self.values = values

        def __dlpack__(self, **how: object) -> object:
            return self.values.__dlpack__(**how)

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.values.__dlpack_device__()

    image = images(1)[0]
    expected = small(image)
    plain = memoryview(array.array("f", image.ravel().tolist()))
    assert np.array_equal(small(plain.cast("B").cast("f", image.shape)), expected)
    assert np.array_equal(small(Tensor(image)), expected)
    read_only = image.copy()
    read_only.flags.writeable = False
    assert np.array_equal(small(read_only), expected)


def test_outputs_are_written_where_they_lie(small: frit.Model) -> None:
    batch = images(4)
    expected = small(batch)
    out = np.empty((4, 3), np.float32)
    assert small(batch, out=out) is out
    assert np.array_equal(out, expected)
    wide = np.zeros((4, 6), np.float32)
    small(batch, out=wide[:, ::2])
    assert np.array_equal(wide[:, ::2], expected)
    assert not wide[:, 1::2].any()
    alone = np.empty(3, np.float32)
    assert small(batch[0], out=alone) is alone
    assert np.array_equal(alone, expected[0])
    assert np.array_equal(small.run({"image": batch}, {"logits/softmax": out})["logits/softmax"], expected)


def test_names_are_those_of_the_signature(small: frit.Model) -> None:
    batch = images(2)
    (name,) = [port.name for port in small.signature.outputs]
    assert list(small.run({"image": batch})) == [name]
    assert small.signature.inputs == (frit.Port("image", (16, 12, 3), np.dtype(np.float32)),)


REFUSED = {
    "double": (lambda: images(1).astype(np.float64), "is float64, the model takes float32", "image.astype(numpy.float32)"),
    "big endian": (lambda: images(1).astype(">f4"), "is >f4", "image.astype"),
    "a list": (lambda: images(1).tolist(), "is no array but of type list", "numpy.asarray"),
    "other size": (lambda: np.zeros((1, 16, 16, 3), np.float32), "another shape", None),
    "no axis": (lambda: np.zeros((), np.float32), "another shape", None),
    "channels first": (lambda: np.zeros((2, 3, 16, 12), np.float32), "another shape", "numpy.moveaxis(image, -3, -1)"),
    "bytes": (lambda: b"abc", "the model takes float32", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_arrays_are_refused_and_say_what_to_do(small: frit.Model, case: str) -> None:
    make, says, helps = REFUSED[case]
    with pytest.raises(frit.InputError, match="FR0031") as refused:
        small(make())
    assert says in str(refused.value)
    assert refused.value.code == "FR0031"
    assert helps is None or any(helps in way for way in refused.value.help)


def test_both_shapes_are_told(small: frit.Model) -> None:
    with pytest.raises(frit.InputError) as refused:
        small(np.zeros((1, 16, 16, 3), np.float32))
    assert refused.value.shapes == ("1x16x16x3", "16x12x3 or Nx16x12x3")
    assert refused.value.layers == ("image", "image")


def test_wrong_names_and_numbers_of_arrays_are_refused(small: frit.Model) -> None:
    batch = images(1)
    calls = [
        lambda: small(),
        lambda: small(batch, batch),
        lambda: small.run({"picture": batch}),
        lambda: small.run({"image": batch}, {"other": batch}),
        lambda: small(batch, out=(np.empty((1, 3), np.float32),) * 2),
    ]
    for call in calls:
        with pytest.raises(frit.InputError, match="FR0031"):
            call()


def test_outputs_that_can_not_be_written_are_refused(small: frit.Model) -> None:
    batch = images(2)
    fixed = np.zeros((2, 3), np.float32)
    fixed.flags.writeable = False
    repeated = np.lib.stride_tricks.as_strided(np.zeros(3, np.float32), (2, 3), (0, 4), writeable=True)
    shared = np.zeros(2 * 16 * 12 * 3, np.float32)
    wrong = {
        "can't be written": fixed,
        "room for 1 images": np.zeros((1, 3), np.float32),
        "negative strides": np.zeros((2, 3), np.float32)[::-1],
        "share bytes": repeated,
        "is float64": np.zeros((2, 3)),
    }
    for says, out in wrong.items():
        with pytest.raises(frit.InputError, match="FR0031") as refused:
            small(batch, out=out)
        assert says in str(refused.value)
    with pytest.raises(frit.InputError, match="shares memory"):
        small(shared.reshape(2, 16, 12, 3), out=shared[:6].reshape(2, 3))


def test_eight_threads_give_the_bits_of_one(trained: frit.Model) -> None:
    inputs = np.random.default_rng(3).standard_normal((16, 224, 224, 3)).astype(np.float32)
    expected = [trained(image) for image in inputs]
    start = threading.Barrier(8)

    def work(worker: int) -> bool:
        start.wait()
        out = np.empty(1000, np.float32)
        mine = range(worker, len(inputs), 8)
        return all(np.array_equal(trained(inputs[index], out=out), expected[index]) for index in mine)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_the_lock_is_released(trained: frit.Model) -> None:
    batch = np.zeros((8, 224, 224, 3), np.float32)
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    before = counted[0]
    trained(batch)
    during = counted[0] - before
    stop.set()
    counter.join()
    assert during > 1000


def test_a_fork_has_sessions_of_its_own(small: frit.Model) -> None:
    batch = images(2)
    expected = small(batch)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(small(batch), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(small(batch), expected)
