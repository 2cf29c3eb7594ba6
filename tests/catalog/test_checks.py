"""The system checks: each finds its fault, and a plain installation has none."""

import pytest

from featureviz import checks

FOUND = [
    ({"FEATUREVIZ_BROKER_URL": "localhost:6379"}, checks.broker_is_a_redis_or_the_folder, "E002"),
    ({"FEATUREVIZ_BROKER_URL": "http://host/"}, checks.broker_is_a_redis_or_the_folder, "E002"),
    ({"FEATUREVIZ_BROKER_URL": "redis:///0"}, checks.broker_is_a_redis_or_the_folder, "E002"),
    (
        {"ALLOWED_HOSTS": ["a.org"], "DEBUG": False},
        checks.secret_key_is_given_where_others_can_reach,
        "W001",
    ),
    ({"ALLOWED_HOSTS": ["a.org"], "DEBUG": True}, checks.debug_stays_at_home, "E003"),
    (
        {
            "FEATUREVIZ_BROKER_URL": "redis://a.org/0",
            "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}},
        },
        checks.workers_elsewhere_can_reach_the_database,
        "W002",
    ),
]
SOUND = [
    ({"FEATUREVIZ_BROKER_URL": "redis://a.org:6379/0"}, checks.broker_is_a_redis_or_the_folder),
    ({"FEATUREVIZ_BROKER_URL": ""}, checks.broker_is_a_redis_or_the_folder),
    ({"DEBUG": True, "ALLOWED_HOSTS": ["localhost"]}, checks.debug_stays_at_home),
    ({"ALLOWED_HOSTS": ["127.0.0.1"]}, checks.secret_key_is_given_where_others_can_reach),
    (
        {"FEATUREVIZ_BROKER_URL": "redis://127.0.0.1/0"},
        checks.workers_elsewhere_can_reach_the_database,
    ),
    ({}, checks.data_folder_can_be_written),
]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(("changed", "check", "found"), FOUND)
def test_a_fault_is_found_and_told_how_to_mend(settings, changed, check, found):
    for name, value in changed.items():
        setattr(settings, name, value)
    [message] = check()
    assert message.id == f"featureviz.{found}"
    assert message.hint


def test_a_data_folder_that_cannot_be_written_is_found(settings, tmp_path):
    settings.FEATUREVIZ_DATA = tmp_path / "missing"
    [message] = checks.data_folder_can_be_written()
    assert message.id == "featureviz.E001"


@pytest.mark.parametrize(("changed", "check"), SOUND)
def test_a_sound_setting_is_not_complained_about(settings, changed, check):
    for name, value in changed.items():
        setattr(settings, name, value)
    assert check() == []
