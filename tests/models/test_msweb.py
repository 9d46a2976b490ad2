"""The data set, read."""

import gzip
from pathlib import Path

import pytest
from preheat_tools.models.msweb import Area, read_web_data

DATA = Path(__file__).parents[2] / "data/msweb"
AREAS = ['A,1002,1,"Two words","/two"', 'A,1000,1,"Free Downloads","/msdownload"']


def _write(folder: Path, file: str, *lines: str) -> None:
    with gzip.open(folder / file, "wt", encoding="latin-1") as out:
        out.write("\n".join(lines) + "\n")


def test_the_committed_data_has_the_users_and_areas_its_readme_says() -> None:
    web = read_web_data(DATA)
    assert web.training.shape == (32_711, 294)
    assert web.test.shape == (5_000, 294)
    assert [area.id for area in web.areas] == sorted({area.id for area in web.areas})
    assert web.areas[8] == Area(id=1008, title="Free Downloads", url="/msdownload")


def test_visits_follow_their_user_and_columns_follow_the_ids(tmp_path: Path) -> None:
    training = ['C,"1",1', "V,1002,1", "V,1000,1", 'C,"2",2', "V,1000,1"]
    _write(tmp_path, "anonymous-msweb.data.gz", "I,4,x", *AREAS, *training)
    _write(tmp_path, "anonymous-msweb.test.gz", *AREAS, 'C,"3",3', "V,1002,1")
    web = read_web_data(tmp_path)
    assert [area.title for area in web.areas] == ["Free Downloads", "Two words"]
    assert web.training.tolist() == [[True, True], [True, False]]
    assert web.test.tolist() == [[False, True]]


def test_files_of_different_sites_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "anonymous-msweb.data.gz", *AREAS)
    _write(tmp_path, "anonymous-msweb.test.gz", AREAS[0])
    with pytest.raises(ValueError, match="must describe the same areas"):
        read_web_data(tmp_path)


def test_a_folder_without_the_data_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="data/msweb"):
        read_web_data(tmp_path)
