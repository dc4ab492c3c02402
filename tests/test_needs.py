"""What a test needs is read from what it uses, through every function between."""

import pytest

from tests import asking, commands, needs, office, scripted
from tests.contract import test_cross_encoder
from tests.server import running
from tests.services import lifecycle


@pytest.mark.parametrize(
    ("used", "need"),
    [
        (commands.souffleur, {"program"}),
        (running.serving, {"program"}),
        (office.serving, {"server"}),
        (asking.open_site, {"server"}),
        (test_cross_encoder.save_model, {"torch"}),
        (lifecycle.running, {"service"}),
        (scripted.line, set()),
    ],
)
def test_it_is_found_through_what_a_function_calls(used, need):
    found = set(needs.needs_of(used, set())) & needs.NEEDS.keys()
    assert found >= need
    assert bool(found) == bool(need)


def test_a_test_is_marked(request):
    assert not needs.needs(request.node)
    marked = {mark.name for mark in request.node.iter_markers()}
    assert not marked & needs.NEEDS.keys()


def test_a_module_whose_packages_are_not_here_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setitem(needs.PACKAGES, "absent_package", "browser")
    module = tmp_path / "test_screens.py"
    module.write_text("from absent_package.screens import Screen\n")
    assert not needs.can_be_imported(module)
    module.write_text("import pytest\n\n\ndef test():\n    import absent_package\n")
    assert needs.can_be_imported(module)
