from __future__ import annotations

from pathlib import Path

import pytest
from preheat.settings import RESERVE_MB, SettingError, Settings


def test_without_variables_models_are_hot_and_memory_is_free() -> None:
    settings = Settings.of({})
    assert settings.hot
    assert not settings.on_lambda
    assert settings.memory_mb == float("inf")
    assert settings.folder("models") == "./models"


def test_the_budget_is_the_functions_memory_less_a_reserve() -> None:
    assert Settings.of({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}).memory_mb == 1024 - RESERVE_MB
    assert Settings.of({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "64"}).memory_mb == 0.0
    both = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024", "PREHEAT_MEMORY_MB": "30"}
    assert Settings.of(both).memory_mb == 30.0


def test_lambdas_own_variables_are_read() -> None:
    settings = Settings.of(
        {
            "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency",
            "AWS_LAMBDA_FUNCTION_NAME": "recommend",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "LAMBDA_TASK_ROOT": "/var/task",
        }
    )
    assert settings.on_lambda
    assert (settings.function, settings.version) == ("recommend", "7")
    assert settings.initialization == "provisioned-concurrency"
    assert settings.folder("models") == "/var/task/models"


def test_another_folder_may_be_named() -> None:
    assert Settings.of({"PREHEAT_MODELS": "/mnt/models"}).folder("models") == "/mnt/models"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PREHEAT_MODE", "warm", "PREHEAT_MODE must be hot or cold, was: 'warm'"),
        ("PREHEAT_MEMORY_MB", "lots", "PREHEAT_MEMORY_MB must be a number of at least 0, was: 'lots'"),
        ("PREHEAT_MEMORY_MB", "-1", "was: '-1'"),
        ("PREHEAT_MEMORY_MB", "nan", "was: 'nan'"),
        ("PREHEAT_WARM_UP_S", "inf", "PREHEAT_WARM_UP_S must be a number"),
        ("PREHEAT_HASHES", "never", "PREHEAT_HASHES must be ahead or first, was: 'never'"),
        ("PREHEAT_INIT_S", "x", "PREHEAT_INIT_S must be a number"),
    ],
)
def test_what_cannot_be_used_is_said(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingError) as error:
        Settings.of({name: value})
    assert said in str(error.value)


def test_lambda_delivers_its_package_and_its_layers_and_nothing_beside_them(tmp_path: Path) -> None:
    inside, linked = tmp_path / "task" / "models", tmp_path / "task" / "linked"
    inside.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    linked.symlink_to(tmp_path / "elsewhere")
    variables = {"AWS_LAMBDA_FUNCTION_NAME": "f", "LAMBDA_TASK_ROOT": str(tmp_path / "task")}
    settings = Settings.of(variables)
    folders = [str(inside), "/opt/models", "/mnt/efs/models", "/tmp/models", f"{tmp_path}/task2", str(linked)]
    assert [settings.delivers(folder) for folder in folders] == [True, True, False, False, False, False]
    assert not Settings.of({"LAMBDA_TASK_ROOT": str(tmp_path / "task")}).delivers(str(inside))
