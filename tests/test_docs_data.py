"""The snippets of the pages about data run, from first to last, in one namespace per page."""

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["balance", "splits"])
def test_snippets_run(page):
    snippets = re.findall(r"^```python\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.S | re.M)
    assert snippets
    names: dict = {}
    for snippet in snippets:
        exec(compile(snippet, f"docs/{page}.md", "exec"), names)
