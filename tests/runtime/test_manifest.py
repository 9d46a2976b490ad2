"""Packs: what a manifest may say, and whether the files are what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from preheat.fields import PackError
from preheat.hashes import check_files
from preheat.manifest import Manifest
from preheat.pack import pack_folders, read_pack

from .packs import flip_a_byte, write_pack


def test_a_manifest_survives_the_file(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path, "short_form", priority=3, required=True))
    assert Manifest.from_json(pack.manifest.to_json(), "x") == pack.manifest
    assert (pack.name, pack.manifest.priority, pack.manifest.required) == ("short_form", 3, True)
    assert pack.manifest.inputs[0].shape == ("batch", 4)


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split("/")
    place: Any = body
    for parent in parents:
        place = place[int(parent) if parent.isdigit() else parent]
    place[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param("format", 2, "format must be 1, was: 2", id="a-later-format"),
        pytest.param("format", None, "format must be a whole number, was: None", id="no-format"),
        pytest.param("name", "../x", "name must be 1 to 64 letters", id="a-name-that-is-a-path"),
        pytest.param("name", "-x", "name must be 1 to 64 letters", id="a-name-that-begins-with-a-mark"),
        pytest.param("name", "x" * 65, "name must be 1 to 64 letters", id="a-name-too-long"),
        pytest.param("name", "", "name must be 1 to 64 letters", id="no-name"),
        pytest.param("name", "modèle", "name must be 1 to 64 letters", id="a-name-beyond-ascii"),
        pytest.param("name", 7, "name must be a string, was: 7", id="a-name-that-is-a-number"),
        pytest.param("version", "0" * 16, "version must be", id="a-version-of-other-content"),
        pytest.param(
            "graph", "other.onnx", "graph must be one of ['golden.npz', 'model.onnx']", id="no-graph"
        ),
        pytest.param("golden/file", "g.npz", "golden.file must be one of", id="no-golden-file"),
        pytest.param("golden/cases", 0, "cases must be at least 1, was: 0", id="no-question"),
        pytest.param("golden/rtol", "1", "rtol must be a number of at least 0, was: '1'", id="rtol-a-word"),
        pytest.param("traffic_share", 1.5, "traffic_share must be a number from 0 to 1", id="share-over-one"),
        pytest.param(
            "memory_mb", -1, "memory_mb must be a number of at least 0, was: -1", id="memory-below-0"
        ),
        pytest.param("memory_mb", True, "memory_mb must be a number", id="memory-a-bool"),
        pytest.param("required", 1, "required must be true or false, was: 1", id="required-a-number"),
        pytest.param("inputs", [], "inputs and outputs must name at least one", id="no-inputs"),
        pytest.param("inputs", ["x"], "inputs[0]: must be an object, was: 'x'", id="an-input-that-is-a-word"),
        pytest.param("inputs/0/type", "object", "type must be one of bool", id="an-input-of-objects"),
        pytest.param("inputs/0/shape", [0, 4], "shape holds positive numbers", id="a-size-of-zero"),
        pytest.param("files/model.onnx/sha256", "abc", "sha256 must be 64", id="a-short-hash"),
        pytest.param(
            "owner", "me", "unknown fields owner; make the pack and run it", id="a-field-of-no-meaning"
        ),
        pytest.param("measured/colour", 1, "measured: unknown fields colour", id="a-measure-of-no-meaning"),
        pytest.param("golden/colour", 1, "golden: unknown fields colour", id="a-golden-field-of-no-meaning"),
        pytest.param("inputs/0/colour", 1, "inputs[0]: unknown fields colour", id="an-input-of-more-fields"),
        pytest.param(
            "files/model.onnx/colour",
            1,
            "files.model.onnx: unknown fields colour",
            id="a-file-of-more-fields",
        ),
        pytest.param("memory_mb", 10**400, "memory_mb must be a number", id="memory-beyond-any-float"),
        pytest.param("files/model.onnx/bytes", float("inf"), "bytes must be a number", id="an-infinite-size"),
        pytest.param("files/model.onnx/bytes", None, "bytes must be a number", id="no-size"),
    ],
)
def test_what_a_manifest_may_not_say(tmp_path: Path, path: str, value: Any, said: str) -> None:
    folder = write_pack(tmp_path, "short_form")
    body = changed(json.loads((folder / "manifest.json").read_text()), path, value)
    with pytest.raises(PackError) as error:
        Manifest.from_json(json.dumps(body), "models/short_form")
    assert said in str(error.value)
    assert str(error.value).startswith("models/short_form: ")


def test_a_file_outside_the_pack_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "short_form")
    body = changed(
        json.loads((folder / "manifest.json").read_text()),
        "files",
        {"../../etc/x": {"bytes": 1, "sha256": "0" * 64}},
    )
    with pytest.raises(PackError, match="files must lie in the pack's own folder"):
        Manifest.from_json(json.dumps(body), "models/short_form")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000])
def test_what_is_no_manifest(text: str) -> None:
    with pytest.raises(PackError, match=r"^here: "):
        Manifest.from_json(text, "here")


def test_the_folders_of_packs_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_pack(tmp_path, name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert [Path(folder).name for folder in pack_folders(tmp_path)] == ["a", "b"]
    with pytest.raises(PackError, match="PREHEAT_MODELS names another"):
        pack_folders(tmp_path / "nowhere")


def test_sound_files_pass(tmp_path: Path) -> None:
    check_files(read_pack(write_pack(tmp_path, "a")))


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_one_wrong_byte_is_found(tmp_path: Path, name: str) -> None:
    folder = write_pack(tmp_path, "a")
    flip_a_byte(folder / name)
    with pytest.raises(PackError, match=f"SHA-256 of {name} is .*copy the pack again"):
        check_files(read_pack(folder))


def test_a_truncated_file_is_found_before_any_is_read(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "a")
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(PackError, match=r"model\.onnx has 0 bytes, the manifest says"):
        check_files(read_pack(folder))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "a")
    (folder / "golden.npz").unlink()
    with pytest.raises(PackError, match=r"golden\.npz cannot be read: No such file"):
        check_files(read_pack(folder))


def test_a_folder_without_a_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"manifest\.json cannot be read"):
        read_pack(tmp_path)
