"""A run of the tiny model, with ablation effects, to be verified."""

import pytest

from featureviz.engine.precompute import Bench, Request, prepare
from tests.engine.conftest import (  # noqa: F401 - fixtures
    byte_tokenizer,
    dictionary_folder,
    model_folder,
    text_file,
)


@pytest.fixture(scope="session")
def verified(model_folder, dictionary_folder, text_file, tmp_path_factory):  # noqa: F811
    """(plan, store) of a whole run."""
    store = tmp_path_factory.mktemp("store")
    request = Request(str(model_folder), str(dictionary_folder), text_file, ablate="all")
    plan = prepare(request, store).plan
    with Bench(plan, store) as bench:
        for number in range(plan.n_shards):
            bench.shard(number)
        for number in range(plan.n_blocks):
            bench.block(number)
    return plan, store
