"""Marks of the parts of a split: the test part is recognised wherever it went as an object."""

import copy
import gc

import numpy as np
import pytest

import chainrule as cr
from chainrule import data
from chainrule._part import PARTS, marks
from chainrule.data import mark_part, part_of
from chainrule.preprocessing import StandardScaler


def arrays(n=20):
    return cr.arange(n).float().unsqueeze(1), np.arange(n)


def test_a_split_in_three_marks_tensors_and_arrays():
    parts = data.train_dev_test_split(*arrays())
    assert [part_of(p) for p in parts] == ["train", "dev", "test"] * 2


def test_a_split_in_two_marks_and_a_second_split_makes_dev():
    x, y = arrays()
    train, test, *_ = data.train_test_split(x, y, seed=0)
    assert (part_of(train), part_of(test)) == ("train", "test")
    assert [part_of(p) for p in data.train_test_split(train, seed=0)] == ["train", "dev"]
    assert [part_of(p) for p in data.train_test_split(test, seed=0, shuffle=False)] == ["dev", "test"]
    assert part_of(x) is None


def test_the_mark_is_found_through_datasets_and_loaders():
    x_train, _, x_test, y_train, _, y_test = data.train_dev_test_split(*arrays())
    test = data.TensorDataset(x_test, cr.tensor(y_test))
    train = data.TensorDataset(x_train, cr.tensor(y_train))
    assert part_of(test) == "test"
    assert part_of((x_test, y_test)) == "test"
    assert part_of(data.DataLoader(data.Subset(test, [0]))) == "test"
    assert part_of(data.ConcatDataset([train, test])) == "test"
    assert part_of(data.DataLoader(train)) == "train"


def test_a_mark_can_be_set_anew_and_needs_a_known_name():
    x, _ = arrays()
    assert part_of(mark_part(mark_part(x, "test"), "dev")) == "dev"
    with pytest.raises(ValueError, match="mark_part: part must be one of train, dev, test, got 'validation'"):
        mark_part(x, "validation")
    with pytest.raises(TypeError, match="mark_part: cannot mark an object of type list"):
        mark_part([1, 2], "dev")
    assert part_of([1, 2]) is None


def test_marks_go_with_their_objects():
    gc.collect()
    before = len(marks)
    x = mark_part(cr.zeros(4), "test")
    rows, array = x[:2].clone(), x.numpy()
    assert len(marks) == before + 3
    copied = mark_part(np.zeros((4, 2))[1:], "dev")  # a view: the array below it has a mark of its memory
    assert len(marks) == before + 5
    del x, rows, array, copied
    gc.collect()
    assert len(marks) == before


KEEP = {
    "slice": lambda x: x[2:5],
    "step": lambda x: x[::2],
    "column": lambda x: x[:, 1],
    "columns": lambda x: x[:, :2],
    "columns by number": lambda x: x[:, [2, 0]],
    "rows and columns": lambda x: x[1:3, None, 1:],
    "fancy": lambda x: x[cr.tensor([0, 3])],
    "list": lambda x: x[[0, 3]],
    "mask": lambda x: x[x[:, 0] > 4],
    "ellipsis": lambda x: x[..., 0],
    "index_select": lambda x: x.index_select(0, cr.tensor([1, 1])),
    "masked_select": lambda x: x.masked_select(x > 3),
    "select a column": lambda x: x.select(1, 0),
    "narrow": lambda x: x.narrow(0, 1, 2),
    "split": lambda x: x.split(2)[1],
    "chunk": lambda x: x.chunk(2)[0],
    "cast": lambda x: x.float(),
    "to": lambda x: x.to(cr.int64),
    "to copy": lambda x: x.to("cpu", copy=True),
    "type_as": lambda x: x.type_as(cr.zeros(1)),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "contiguous": lambda x: x[:, :2].contiguous(),
    "reshape": lambda x: x.reshape(3, -1),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(0, (2, -1)),
    "squeeze": lambda x: x.unsqueeze(1).squeeze(),
    "transpose": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "expand": lambda x: x.unsqueeze(1).expand(-1, 2, -1),
    "flip": lambda x: x.flip(0),
    "repeat": lambda x: x.repeat(2, 1),
    "cat": lambda x: cr.cat([x, x]),
    "stack": lambda x: cr.stack([x, x]),
    "numpy": lambda x: x.numpy(),
    "asarray": np.asarray,
    "asarray of another dtype": lambda x: np.asarray(x, dtype=np.int32),
    "a slice of numpy": lambda x: x.numpy()[2:, 1][::2],
    "numpy and back": lambda x: cr.from_numpy(x.numpy()[1:]),
    "numpy and a copy": lambda x: cr.tensor(x.numpy(), dtype=cr.float32),
    "as_tensor": lambda x: cr.as_tensor(x.numpy()),
    "tensor of a tensor": lambda x: cr.tensor(x),
    "dataset": lambda x: data.TensorDataset(x, cr.zeros(len(x))),
    "subset of a slice": lambda x: data.Subset(data.TensorDataset(x[1:]), [0, 1]),
    "concatenated": lambda x: data.ConcatDataset([data.TensorDataset(cr.zeros(2, 3)), data.TensorDataset(x)]),
    "loader": lambda x: data.DataLoader(data.TensorDataset(x.float()), batch_size=2),
    "arrays": lambda x: data.ArrayDataset(x.numpy()[1:]),
    "transformed samples": lambda x: data.TransformDataset((x[1:],), transform=lambda row: row + 1),
    "a dataset of one's own": lambda x: Own(x),
    "a loader of one's own dataset": lambda x: data.DataLoader(Own((x.numpy(), None))),
}


class Own(data.Dataset):
    def __init__(self, images):
        self.images, self.transform, self.name = images, None, "images"

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.images[index]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", KEEP)
def test_what_keeps_a_mark(name, part):
    # Nothing but the result is alive: a mark does not hang on the object that was marked first.
    made = KEEP[name](mark_part(cr.arange(18, dtype=cr.float64).reshape(6, 3), part))
    gc.collect()
    assert part_of(made) == part


@pytest.mark.parametrize("name", KEEP)
def test_unmarked_data_stays_unmarked_beside_marked(name):
    other = mark_part(cr.zeros(6, 3), "test")
    assert part_of(KEEP[name](cr.arange(18, dtype=cr.float64).reshape(6, 3))) is None
    assert part_of(other) == "test"


# docs/splits.md lists these: who wants to keep the mark sets it anew.
LOSE = {
    "arithmetic": lambda x: (x - 1) / 2,
    "functions": lambda x: x.relu(),
    "one sample": lambda x: x[0],
    "a shuffled batch": lambda x: next(iter(data.DataLoader(data.TensorDataset(x), 2, shuffle=True)))[0],
    "tolist": lambda x: x.tolist(),
    "writing": lambda x: cr.zeros(6, 3).double().copy_(x),
    "sorting": lambda x: x.sort(0)[0],
    "gather": lambda x: x.gather(0, cr.zeros(1, 3, dtype=cr.int64)),
    "dlpack": lambda x: cr.from_dlpack(x),
    "a list of arrays": lambda x: cr.tensor([x.numpy()[0], x.numpy()[1]]),
    "numpy: fancy": lambda x: x.numpy()[[0, 2]],
    "numpy: mask": lambda x: x.numpy()[x.numpy()[:, 0] > 2],
    "numpy: astype": lambda x: x.numpy().astype(np.float32),
    "numpy: copy": lambda x: x.numpy().copy(),
    "numpy: arithmetic": lambda x: x.numpy() + 1,
    "numpy: concatenate": lambda x: np.concatenate([x.numpy(), x.numpy()]),
}


@pytest.mark.parametrize("name", LOSE)
def test_what_loses_a_mark_as_documented(name):
    x = mark_part(cr.arange(18, dtype=cr.float64).reshape(6, 3), "test")
    assert part_of(LOSE[name](x)) is None


def test_an_array_is_the_part_that_its_memory_is():
    table = np.arange(40.0).reshape(10, 4)
    mark_part(table[:6], "train"), mark_part(table[6:], "test")
    assert part_of(table[1:4]) == part_of(table[:6, 2]) == "train"
    assert part_of(table[7:, ::-1]) == part_of(table[::-1][:2]) == "test"
    assert part_of(table) == part_of(table[4:8]) == "test"  # there is some of it
    assert part_of(cr.from_numpy(table[:3])) == "train"
    assert part_of(table[2:2]) is None
    mark_part(table[6:], "dev")  # marked anew, for all views of it
    assert part_of(table) == part_of(table[8:]) == "dev"
    even, odd = mark_part(table[::2], "train"), mark_part(table[1::2], "test")
    assert (part_of(even), part_of(odd)) == ("train", "test")


def test_of_parts_put_together_the_most_protected_counts():
    x = [mark_part(cr.zeros(2, 3), part) for part in PARTS]
    train, dev, test = x
    assert part_of(cr.cat([train, test])) == part_of(cr.cat([test, train, dev])) == "test"
    assert part_of(cr.cat([dev, train])) == "dev"
    assert part_of(cr.cat([train, cr.zeros(1, 3)])) == "train"
    assert part_of(data.ConcatDataset([data.TensorDataset(d) for d in x])) == "test"
    assert part_of((dev, train)) == "dev"


def test_marks_travel_through_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})
    test = mark_part(frame.iloc[1:], "test")
    assert part_of(frame) is None
    kept = [
        test["a"], test[["b"]], test[test["a"] > 2], test.iloc[:1], test.loc[[2]], test.copy(), test.head(1),
        test.drop(columns="b"), test.rename(columns={"a": "c"}), test.reset_index(drop=True), test.assign(c=1),
        test.fillna(0), test.sort_values("a"), test.sample(1), test["a"].astype("float32"), test["a"] * 2,
        cr.tensor(test["a"]), cr.tensor(test[["a"]]), pandas.concat([test, test]), (test, None),
    ]  # fmt: skip
    assert [part_of(x) for x in kept] == ["test"] * len(kept)
    train = mark_part(frame.iloc[:1].copy(), "train")
    lost = [
        test.to_numpy(),
        np.asarray(test["a"]),
        pandas.concat([train, test]),
        pandas.DataFrame(np.asarray(test)),
    ]
    assert [part_of(x) for x in lost] == [None] * len(lost)
    assert part_of(mark_part(test, "dev")) == "dev"


def test_a_mark_is_found_however_many_things_lie_before_it():
    test = mark_part(cr.zeros(2, 3), "test")
    plain = [cr.zeros(2, 3) for _ in range(20)]
    assert part_of(data.TensorDataset(*plain, test)) == "test"
    assert part_of(data.ConcatDataset([data.TensorDataset(x) for x in (*plain, test)])) == "test"
    assert part_of((*plain, test)) == part_of([*plain, test]) == "test"


def test_a_dictionary_of_marked_columns_is_marked():
    x = mark_part(cr.arange(12.0).reshape(6, 2), "test")
    table = {"a": np.arange(6.0), "b": x[:, 1]}
    assert part_of(table) == part_of({"a": x.numpy()[:, 0]}) == "test"
    with pytest.raises(ValueError, match="training part only, got the test part"):
        StandardScaler().fit(table)

    class Own(data.Dataset):
        def __init__(self):
            self.columns = table

    assert part_of(Own()) == "test"


def test_windows_and_memoryviews_of_a_marked_array_are_marked():
    x = mark_part(np.arange(12.0).reshape(6, 2), "test")
    tricks = np.lib.stride_tricks
    views = [
        tricks.sliding_window_view(x, 2, axis=0),
        tricks.as_strided(x, (3, 2)),
        np.asarray(memoryview(x)),
    ]
    assert [part_of(view) for view in views] == ["test"] * 3


def test_columns_of_a_marked_table_are_marked_wherever_they_go():
    table = cr.datasets.load_penguins()
    test = data.train_test_split(table, seed=0)[1]
    kept = [
        test["year"], test.select(["year", "sex"])["sex"], test.rows([0, 1])["year"], test.to_numpy(), dict(test),
        cr.tensor(test["year"]), copy.copy(test), {"year": test["year"][3:]},
    ]  # fmt: skip
    assert [part_of(x) for x in kept] == ["test"] * len(kept)
    assert part_of(table) is part_of(table["year"]) is None


def test_a_marked_table_as_a_frame_is_marked():
    pytest.importorskip("pandas")
    test = data.train_test_split(cr.datasets.load_penguins(), seed=0)[1]
    assert part_of(test.to_pandas()) == "test"
