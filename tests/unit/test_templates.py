"""Templates that the console's code and its other templates name, and those that are there."""

import re

from api.console.pages import HERE, environment


def test_every_template_that_is_named_is_there_and_every_one_is_named() -> None:
    sources = [*HERE.glob("*.py"), *HERE.glob("templates/*.html")]
    named = {name for each in sources for name in re.findall(r'"([\w-]+\.html)"', each.read_text())}
    assert named == set(environment().list_templates())
    for name in named:
        environment().get_template(name)  # a fault in its syntax is raised here
