"""Gated dictionaries."""

import torch

from tests.engine.conftest import write_folder
from tests.engine.dictionaries.saelens import assert_same_as_saelens, save, toy, worked


def test_it_computes_what_saelens_computes(tmp_path):
    assert_same_as_saelens(save("gated", tmp_path))


def test_the_worked_case_of_the_methods_comes_out(tmp_path):
    dictionary = toy(
        tmp_path,
        write_folder,
        architecture="gated",
        b_gate=torch.full((3,), -4.0),
        b_mag=torch.full((3,), -1.0),
        r_mag=torch.zeros(3),
    )
    codes, rebuilt = worked(dictionary)
    assert codes == [0, 0, 4]
    assert rebuilt == [2.4, 3.2]
    x = torch.tensor([3.0, 4.0])
    assert torch.isclose(((x - torch.tensor(rebuilt)) ** 2).sum(), torch.tensor(1.0))


def test_an_open_gate_lets_no_negative_magnitude_through(tmp_path):
    dictionary = toy(
        tmp_path,
        write_folder,
        architecture="gated",
        b_gate=torch.zeros(3),
        b_mag=torch.full((3,), -3.5),
        r_mag=torch.zeros(3),
    )
    assert worked(dictionary)[0] == [0, 0.5, 1.5]
