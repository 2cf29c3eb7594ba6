"""Which device models run on, and that a dictionary is all there."""

from dataclasses import fields

import pytest
import torch

from featureviz.engine import device, precompute
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import DeviceError
from featureviz.engine.precompute import Bench, prepare
from featureviz.engine.subject import load_subject


@pytest.fixture
def gpus(monkeypatch):
    """Make torch see so many GPUs."""

    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


@pytest.mark.parametrize(
    ("n_gpus", "named", "found"),
    [
        (0, "auto", "cpu"), (2, "auto", "cuda"), (2, "cpu", "cpu"), (0, "cpu", "cpu"),
        (1, "cuda", "cuda"), (2, "cuda:1", "cuda:1"),
    ],
)  # fmt: skip
def test_a_gpu_is_taken_where_there_is_one_unless_another_device_is_named(
    gpus, n_gpus, named, found
):
    gpus(n_gpus)
    assert device.found(named) == found


@pytest.mark.parametrize(("n_gpus", "named"), [(0, "cuda"), (0, "cuda:0"), (2, "cuda:2")])
def test_a_gpu_that_is_not_there_is_refused_with_what_to_set(gpus, n_gpus, named):
    gpus(n_gpus)
    with pytest.raises(DeviceError, match=rf"{named}: .* sees {n_gpus} GPUs .*FEATUREVIZ_DEVICE"):
        device.found(named)


def test_every_tensor_of_a_dictionary_is_on_the_device_asked_for(request_of):
    loaded = load_dictionary(request_of().dictionary, device="meta")
    tensors = [getattr(loaded, each.name) for each in fields(loaded)]
    kinds = {tensor.device.type for tensor in tensors if isinstance(tensor, torch.Tensor)}
    assert kinds == {"meta"}
    assert load_dictionary(request_of().dictionary).W_dec.device.type == "cpu"


def test_a_bench_loads_onto_its_device(request_of, tmp_path, monkeypatch):
    plan = prepare(request_of(), tmp_path).plan
    asked = []

    def noting(load):
        def loading(*given):
            asked.append(given[-1])
            return load(*given[:-1])

        return loading

    monkeypatch.setattr(precompute, "load_subject", noting(load_subject))
    monkeypatch.setattr(precompute, "load_dictionary", noting(load_dictionary))
    bench = Bench(plan, tmp_path, "cuda:1")
    assert bench.subject.facts.digest == plan.model_digest
    assert bench.dictionary.facts.digest == plan.dictionary_digest
    assert asked == ["cuda:1", "cuda:1"]
