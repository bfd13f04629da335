"""What a source's files do not say plainly is found out, and said where people look."""

from contextlib import nullcontext

import pandas as pd
import pytest

from mlops_assets.report.ingestion import latest_ingestion
from mlops_assets_tests.worlds import panel


def test_what_is_sniffed_is_in_the_metadata_and_in_the_state(world):
    plain, made = world(), world()
    plain.run("observations", "quarantine", partition="2024-03-05")
    rows = panel().astype({"sales": str, "rain": str})
    for name in ("sales", "rain"):
        rows[name] = rows[name].str.replace(".", ",")
    rows.loc[rows["day"] == "2024-03-07", "rain"] = "n/a"
    rows.to_csv(made.spec.folder / "sales.csv", index=False, sep=";", encoding="utf-16")
    result = made.run("observations", "quarantine", partition="2024-03-05")
    rows = [world.table("observations").drop(columns="known_at") for world in (made, plain)]
    pd.testing.assert_frame_equal(*rows)
    notes = made.metadata(result, "observations")["notes"]
    assert notes[:2] == ["encoding utf-16 in sales.csv", "delimiter ';' in sales.csv"]
    assert [note.partition(", such as")[0] for note in notes[2:]] == [
        "column sales: read with decimal ','",
        "column rain: 4 × 'n/a' read as missing",
        "column rain: read with decimal ','",
    ]
    noted = latest_ingestion("demo", made.tables, nullcontext)
    assert noted.notes == tuple(notes)
    made.tables.delete(["demo", "latest_facts"])
    assert latest_ingestion("demo", made.tables, lambda: nullcontext(made.instance)) == noted, (
        "as of an earlier release"
    )


@pytest.mark.parametrize("complete", [False, True])
def test_a_last_row_that_may_be_cut_is_quarantined_unless_files_are_declared_whole(world, complete):
    last = {"day": "2024-03-05", "shop": "shop 9", "rain": 0.5, "sales": 7}
    rows = pd.concat([panel().astype({"day": str})[list(last)], pd.DataFrame([last])])
    made = world(source={"kind": "file", "path": "sales.csv", "complete": complete}, quarantine={"max_share": 0.2})
    (made.spec.folder / "sales.csv").write_text(rows.to_csv(index=False).rstrip("\n"), encoding="utf-8")
    made.run("observations", "quarantine", partition="2024-03-04...2024-03-05")
    stored, bad = made.table("observations"), made.table("quarantine")
    assert stored.loc[stored["item_id"] == "shop 9", "target"].tolist() == ([7.0] if complete else [])
    assert len(stored) == 8 + complete
    assert bad["reason"].tolist() == ([] if complete else ["cut_off_row"])
    assert bad["detail"].str.contains("source.complete: true").all()
    assert bad["partition"].tolist() == ([] if complete else ["2024-03-05"])
