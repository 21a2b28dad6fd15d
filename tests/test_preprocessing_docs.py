"""The snippets of docs/preprocessing.md run, one after the other."""

import pathlib
import re

DOCS = pathlib.Path(__file__).parent.parent / "docs" / "preprocessing.md"


def test_snippets_run_and_give_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "snippets"}
    snippets = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    for number, code in enumerate(snippets):
        exec(compile(code, f"{DOCS.name}, snippet {number}", "exec"), names)
    assert len(snippets) > 8
    printed = re.search(r"print\(report\)  # (.*)", "\n".join(snippets))[1]
    assert capsys.readouterr().out.strip() == printed
    assert names["one_hot"].transform({"sex": "male", "species": "Emperor"}).tolist() == [[0, 1, 0, 0, 0]]
    assert names["predictor"].predict(names["raw"]).shape == (200,)
