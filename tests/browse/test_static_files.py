"""Files that may be cached for ever."""

import json
import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.core.management import call_command

from featureviz.browse.static_files import StaticFiles


def collect(folder, settings):
    settings.STATIC_ROOT = folder
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": f"{StaticFiles.__module__}.{StaticFiles.__qualname__}"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)


def test_a_style_sheet_takes_in_those_it_imports_and_changes_its_name_with_them(tmp_path, settings):
    source, collected = tmp_path / "source", tmp_path / "collected"
    (source / "css").mkdir(parents=True)
    (source / "css/page.css").write_text('/* a page */\n@import "part.css";\np { color: red; }\n')
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = settings.STATICFILES_FINDERS[:1]  # the plot library is large
    found = []
    for colour in ("green", "blue"):
        (source / "css/part.css").write_text(f"b {{ color: {colour}; }}\n")
        collect(collected, settings)
        name = json.loads((collected / "staticfiles.json").read_text())["paths"]["css/page.css"]
        assert (collected / name).read_text() == (
            f"/* a page */\nb {{ color: {colour}; }}\np {{ color: red; }}\n"
        )
        found.append(name)
    assert len(set(found)) == 2


def test_a_module_imports_its_neighbours_by_names_that_change_with_their_content(
    tmp_path, settings
):
    collect(tmp_path, settings)
    (module,) = tmp_path.glob("js/app.????????????.js")
    imported = re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8"))
    assert imported
    assert all(re.fullmatch(r"[a-z_-]+\.[0-9a-f]{12}\.js", name) for name in imported), imported
    assert all((tmp_path / "js" / name).exists() for name in imported)


def test_the_plot_library_is_found_in_its_installed_package_and_nothing_else_of_it():
    place = Path(finders.find("plotly/plotly.min.js"))
    assert place.parent.parent.name == "plotly"
    assert place.read_bytes()[:80].startswith(b"/**\n* plotly.js")
    assert finders.find("plotly/widgetbundle.js") is None
    listed = [
        f"{storage.prefix}/{name}"
        for finder in finders.get_finders()
        for name, storage in finder.list([])
        if storage.prefix
    ]
    assert listed == ["plotly/plotly.min.js"]
