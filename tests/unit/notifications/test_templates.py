"""Texts with holes."""

import json

import pytest

from weft.model.errors import InvalidTemplate
from weft.notifications.templates import SIZE_MAX, fill, in_html, in_json, line, parse, render

CONTEXT = {
    "name": 'a "b" <c>\n',
    "n": 3,
    "half": 0.5,
    "no": None,
    "off": False,
    "tags": ["x", "y"],
    "error": {"type": "E", "message": "m"},
    "params": {"day": "2026-01-02", "list": [1, 2]},
    "rows": [{"k": 1}, {"k": 2}],
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("{{n}} {{ half }}", "3 0.5"),
        ("[{{no}}{{unknown}}{{error.unknown.deeper}}]", "[]"),
        ("{{off}}", "false"),
        ("{{error.type}}", "E"),
        ("{{#tags}}<{{.}}>{{/tags}}", "<x><y>"),
        ("{{#rows}}{{k}}{{n}},{{/rows}}", "13,23,"),
        ("{{#error}}{{type}}: {{message}}{{/error}}", "E: m"),
        ("{{^no}}none{{/no}}{{^tags}}none{{/tags}}", "none"),
        ("{{#off}}on{{/off}}", ""),
        ("{{! a note {{ }}x", "x"),
        ("{{params}}", '{"day": "2026-01-02", "list": [1, 2]}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("{{name.__class__}}{{tags.0}}", ""),
    ],
)
def test_holes_and_sections(text: str, shown: str) -> None:
    """As Mustache has them; nothing but the data can be reached."""
    assert render(text, CONTEXT) == shown


def test_values_are_escaped_for_where_they_go() -> None:
    """Whatever a value holds stays inside its place."""
    assert render("<b>{{name}}</b>", CONTEXT, in_html) == "<b>a &quot;b&quot; &lt;c&gt;\n</b>"
    assert json.loads(render('{"x": "{{name}}"}', CONTEXT, in_json)) == {"x": CONTEXT["name"]}
    assert render("{{name}}", {"name": "a\r\nBcc: x"}, line) == "a Bcc: x"


def test_values_are_not_templates() -> None:
    """What an error message says is not looked at."""
    assert render("{{a}}", {"a": "{{b}}", "b": "secret"}) == "{{b}}"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{{", "line 1, column 1"),
        ("a\n {{a b}}", "line 2, column 2"),
        ("{{#a}}", "line 1, column 7"),
        ("{{/a}}", "line 1, column 1"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "line 1, column 13"),
        ("{{#a}}" * 25 + "{{/a}}" * 25, "line 1, column 121"),
    ],
)
def test_wrong_templates_say_where(text: str, where: str) -> None:
    """With a hint."""
    with pytest.raises(InvalidTemplate) as caught:
        parse(text)
    assert caught.value.where == where
    assert caught.value.hint


def test_a_template_cannot_take_for_ever() -> None:
    """Neither by what it shows nor by how often it shows nothing."""
    deep = "{{#tags}}" * 15 + "{{/tags}}" * 15
    assert render(deep, {"tags": list(range(1000))}) == ""
    wide = "{{#tags}}" * 3 + "{{.}}" + "{{/tags}}" * 3
    assert len(render(wide, {"tags": ["long text"] * 1000})) <= SIZE_MAX


def test_a_single_hole_gives_the_value_itself() -> None:
    """So that parameters keep their types."""
    params = {"n": "{{n}}", "text": "n={{n}}", "list": ["{{params.list}}", 5], "none": "{{unknown}}"}
    assert fill(params, CONTEXT) == {"n": 3, "text": "n=3", "list": [[1, 2], 5], "none": None}
