"""The example's files: what is wrong in them is told in one sentence with file and field."""

import json
from pathlib import Path

import pytest
import yaml

from services.rehearsal.example import Example, ExampleError


def test_the_sample_is_read(sample: Example) -> None:
    shenzhen = sample.stop("shenzhen")

    assert len(sample.participants) == 810
    assert shenzhen.moment(shenzhen.sessions[0].starts).isoformat() == "2023-11-06T13:30:00+08:00"
    assert sample.troubles_of("nanjing").late_bus is not None


def test_draws_are_the_same_each_time_and_apart_from_one_another(sample: Example) -> None:
    people = list(range(100))

    drawn = sample.share_of(people, 0.1, "shenzhen", "duplicates")

    assert drawn == sample.share_of(people, 0.1, "shenzhen", "duplicates")
    assert drawn != sample.share_of(people, 0.1, "guangzhou", "duplicates")
    assert len(drawn) == 10


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "rehearsal.yaml").unlink()

    with pytest.raises(ExampleError, match=r"^rehearsal\.yaml: it cannot be read"):
        Example.read(folder)


def test_a_wrong_field_of_the_mission_is_named(folder: Path) -> None:
    path = folder / "mission.yaml"
    path.write_text(path.read_text("utf-8").replace("Asia/Shanghai", "Asia/Nowhere", 1), "utf-8")

    with pytest.raises(ExampleError, match=r"^mission\.yaml: stops\.0\.timezone: no time zone"):
        Example.read(folder)


def test_a_misspelt_field_is_refused(folder: Path) -> None:
    path = folder / "rehearsal.yaml"
    path.write_text(path.read_text("utf-8").replace("walk_ins", "walkins", 1), "utf-8")

    with pytest.raises(ExampleError, match=r"^rehearsal\.yaml: stops\.shenzhen\.walkins: "):
        Example.read(folder)


def test_what_is_no_yaml_is_told(folder: Path) -> None:
    (folder / "mission.yaml").write_text("mission: [", "utf-8")

    with pytest.raises(ExampleError, match=r"^mission\.yaml: this is not YAML"):
        Example.read(folder)


def test_a_wrong_participant_is_named_by_line_and_field(folder: Path) -> None:
    path = folder / "participants.jsonl"
    lines = path.read_text("utf-8").splitlines()
    wrong = json.loads(lines[2])
    del wrong["person"]["email"]
    lines[2] = json.dumps(wrong)
    path.write_text("\n".join(lines), "utf-8")

    with pytest.raises(
        ExampleError, match=r"^participants\.jsonl, line 3: person\.email: Field required\.$"
    ):
        Example.read(folder)


def test_a_reference_to_nothing_is_told(folder: Path) -> None:
    path = folder / "rehearsal.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    content["stops"]["shenzhen"]["cancellations"] = ["sz-999"]
    path.write_text(yaml.safe_dump(content), "utf-8")

    with pytest.raises(
        ExampleError,
        match=r"^rehearsal\.yaml: stops\.shenzhen\.cancellations: no participant sz-999\.$",
    ):
        Example.read(folder)


def test_an_item_that_the_stop_does_not_have_is_told(folder: Path) -> None:
    path = folder / "participants.jsonl"
    lines = path.read_text("utf-8").splitlines()
    wrong = json.loads(lines[0])
    wrong["items"]["shenzhen"] = ["banquet"]
    path.write_text("\n".join([json.dumps(wrong), *lines[1:]]), "utf-8")

    with pytest.raises(ExampleError, match=r"line 1: items\.shenzhen: no item banquet"):
        Example.read(folder)
