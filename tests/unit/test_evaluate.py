import json
import tempfile
from math import log2

import numpy
import orjson
import pytest
from click.testing import CliRunner
from rapidfuzz.distance import OSA

from rag.config.settings import load_settings
from rag.diagnostics.datasets import Question, misspelt
from rag.diagnostics.refusals import Verdict, calibration, refusals
from rag.diagnostics.significance import confidence_intervals, randomisation_test
from rag.stores import PREFIX, throwaway_store
from souffleur import cli

PAGES = {
    "annuler.md": ("Annuler une commande", "Pour annuler une commande, ouvrez la commande."),
    "modifier.md": ("Modifier une commande", "Pour modifier une commande, changez ses lignes."),
    "vendange.md": ("Planning de vendange", "Le planning répartit les parcelles entre équipes."),
}
QUERIES = {
    "q1": ("annuler une commande", "plain"),
    "q2": ("modifier une commande", "plain"),
    "q3": ("harvest planning of the parcels", "english"),
}
QRELS = [("q1", "annuler.md", 1), ("q1", "modifier.md", 3), ("q2", "annuler.md", 2)]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path):
    """A folder of three pages, two judged queries and one that nobody judged."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    pages = [{"_id": i, "title": title, "text": text} for i, (title, text) in PAGES.items()]
    queries = [
        {"_id": i, "text": text, "metadata": {"group": group}}
        for i, (text, group) in QUERIES.items()
    ]
    (folder / "corpus.jsonl").write_text(lines(pages))
    (folder / "queries.jsonl").write_text(lines(queries))
    write_qrels(folder, QRELS)
    return folder


def write_qrels(folder, rows):
    body = "".join(f"{query}\t{page}\t{score}\n" for query, page, score in rows)
    (folder / "qrels/test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{body}")


def run(*arguments, strict=False):
    """Run the command; the folder of these tests has a query that nobody judged."""
    allowed = [] if strict else ["--allow-unjudged"]
    return CliRunner().invoke(cli.main, ["evaluate", *map(str, arguments), *allowed])


def figures(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return orjson.loads(done.stdout)


def refused(*arguments):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert not done.stdout
    return done.stderr


def test_measures_agree_with_those_computed_by_hand(beir):
    found = figures("--beir", beir)
    # q1 finds its page of relevance 1 first and that of relevance 3 second, q2 its page second
    first = (1 / log2(2) + 3 / log2(3)) / (3 / log2(2) + 1 / log2(3))
    second = (2 / log2(3)) / (2 / log2(2))
    assert found["per_query"]["q1"]["nDCG@10"] == pytest.approx(first)
    assert found["per_query"]["q2"]["nDCG@10"] == pytest.approx(second)
    assert found["nDCG@10"] == pytest.approx((first + second) / 2)
    assert found["R@10"] == 1.0
    assert found["RR@10"] == pytest.approx(0.75)
    assert found["Success@1"] == 0.5
    assert found["queries"] == 2


def test_every_leg_and_group_has_its_figures(beir):
    write_qrels(beir, [*QRELS, ("q3", "vendange.md", 1)])
    found = figures("--beir", beir)
    assert set(found["groups"]) == {"plain", "english"}
    assert found["groups"]["plain"]["queries"] == 2
    assert set(found["legs"]) == {"bm25", "knn", "rrf"}
    for part in (found, *found["groups"].values(), *found["legs"].values()):
        for name in ("nDCG@10", "R@10", "RR@10", "Success@1"):
            low, high = part["intervals"][name]
            assert 0 <= low <= part[name] <= high <= 1
    assert (found["settings"]["store"], found["settings"]["pages"]) == ("sqlite", 3)
    assert found["chunks"] == 3


def test_without_embeddings_a_leg_has_no_figures(beir, monkeypatch):
    monkeypatch.setenv("AI_ENABLE_EMBEDDINGS", "false")
    found = figures("--beir", beir)
    assert found["legs"]["knn"] == {}
    assert found["settings"]["encoder"] is None
    assert found["legs"]["bm25"]["nDCG@10"] == found["nDCG@10"]


def test_a_query_without_judgements_is_refused_unless_it_may_be_left_out(beir):
    refusal = run("--beir", beir, "--json", strict=True)
    assert refusal.exit_code == 2
    assert "query q3" in refusal.stderr
    assert "--allow-unjudged" in refusal.stderr
    done = run("--beir", beir, "--json")
    assert orjson.loads(done.stdout)["left_out"] == ["q3"]
    assert "query q3" in done.stderr


def test_misspelt_questions_are_others_and_always_the_same():
    asked = [Question(str(n), "Comment créer un événement répété", "", {}) for n in range(50)]
    typed = [question.text for question in misspelt(asked)]
    assert typed == [question.text for question in misspelt(asked)]
    assert all(OSA.distance(text, asked[0].text) in range(1, 8) for text in typed)
    lost = sum(6 - text.count("é") for text in typed)
    assert 30 <= lost <= 110  # a fifth of 300 accents, and those in typos


def test_a_query_judged_irrelevant_everywhere_asks_the_gate(beir):
    write_qrels(beir, [*QRELS, ("q3", "annuler.md", 0)])
    found = figures("--beir", beir)
    assert found["queries"] == 2
    assert found["gate"]["unanswerable"] == 1
    assert "nDCG@10" not in found["groups"]["english"]
    assert found["groups"]["english"]["refusal_recall"] in (0.0, 1.0)


def test_the_users_own_index_and_the_set_do_not_meet(beir, tmp_path):
    figures("--beir", beir)
    assert not (tmp_path / "souffleur").exists()


def test_the_throw_away_store_is_gone_after_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), throwaway_store(load_settings()):
        assert list(tmp_path.glob(f"{PREFIX}*"))
        raise KeyboardInterrupt
    assert not list(tmp_path.glob(f"{PREFIX}*"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", None, "corpus.jsonl is missing"),
        ("queries.jsonl", None, "queries.jsonl is missing"),
        ("qrels/test.tsv", None, "qrels/test.tsv is missing"),
        ("corpus.jsonl", "\n", "corpus.jsonl is empty"),
        ("queries.jsonl", "", "queries.jsonl is empty"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "test.tsv is empty"),
        ("corpus.jsonl", '{"_id": "a"}\n{"_id": "a"}\n', "line 2: 'a' stands here for the second"),
        ("corpus.jsonl", '{"_id": "a"}\n{"_id": \n', "corpus.jsonl, line 2: this is no JSON"),
        ("corpus.jsonl", '["a"]\n', "line 1: a JSON object is needed"),
        ("corpus.jsonl", '{"title": "a"}\n', "line 1: '_id' is missing or empty"),
        ("corpus.jsonl", '{"_id": "a", "text": 3}\n', "line 1: 'text' must be a text, not 3"),
        ("queries.jsonl", '{"_id": "q1", "text": " "}\n', "line 1: 'text' is missing or empty"),
        ("qrels/test.tsv", "q1\tannuler.md\t1\nq9\tannuler.md\t1\n", "line 2: the query 'q9'"),
        ("qrels/test.tsv", "q1\tnulle-part.md\t1\n", "line 1: the page 'nulle-part.md'"),
        ("qrels/test.tsv", "q1\tannuler.md\t1\n" * 2, "'annuler.md' is judged for 'q1' for the"),
        ("qrels/test.tsv", "q1 0 annuler.md 1\n", "line 1: query-id, corpus-id and a whole number"),
        ("qrels/test.tsv", "q1\tannuler.md\t0\n", "judges no page relevant"),
    ],
)
def test_bad_sets_are_explained(beir, name, content, message):
    (beir / name).unlink()
    if content is not None:
        (beir / name).write_text(content)
    assert message in refused("--beir", beir)


def test_a_file_that_is_no_text_is_explained(beir):
    (beir / "corpus.jsonl").write_bytes(b'{"_id": "\xe9"}\n')
    assert "corpus.jsonl cannot be read" in refused("--beir", beir)


def test_two_reports_of_one_set_are_compared(beir, tmp_path):
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    one.write_bytes(orjson.dumps(figures("--beir", beir)))
    better = figures("--beir", beir)
    better["per_query"]["q2"]["RR@10"] = 1.0
    two.write_bytes(orjson.dumps(better))
    found = figures("--compare", one, two)
    assert found["queries"] == 2
    assert found["measures"]["RR@10"]["difference"] == pytest.approx(0.25)
    assert found["measures"]["nDCG@10"] == pytest.approx(
        {"a": better["nDCG@10"], "b": better["nDCG@10"], "difference": 0, "p": 1}
        | {"significant": False}
    )
    assert "significant at 5%" in run("--compare", one, two).stdout


def test_reports_of_different_questions_are_not_compared(beir, tmp_path):
    one, two, three = (tmp_path / f"{name}.json" for name in "abc")
    one.write_bytes(orjson.dumps(figures("--beir", beir)))
    write_qrels(beir, [*QRELS, ("q3", "vendange.md", 1)])
    two.write_bytes(orjson.dumps(figures("--beir", beir)))
    write_qrels(beir, [("q1", "annuler.md", 1), ("q2", "annuler.md", 1)])
    three.write_bytes(orjson.dumps(figures("--beir", beir)))
    assert "1 stand in one only, such as 'q3'" in refused("--compare", one, two)
    assert "ask or judge other things" in refused("--compare", one, three)
    one.write_text('{"queries": 2}')
    assert "is no report of `evaluate`" in refused("--compare", one, two)


@pytest.mark.parametrize("given", ["beaucoup", "Success@2=0.5", "nDCG@10=80"])
def test_a_wrong_threshold_is_refused_before_anything_is_measured(given, beir):
    assert "give a number from 0 to 1" in refused("--beir", beir, "--fail-below", given)


def test_a_figure_below_its_threshold_exits_with_1(beir):
    done = run("--beir", beir, "--fail-below", "0.6", "--fail-below", "R@10=0.9")
    assert done.exit_code == 1
    assert "Success@1 is 0.5000, below 0.6." in done.stderr
    assert "R@10 is" not in done.stderr


def test_only_one_thing_is_evaluated_at_a_time(beir):
    assert "Give one of" in refused("--beir", beir, "--questions", "q.jsonl")


def test_the_table_is_aligned(beir):
    header, fused, intervals, *others = run("--beir", beir).stdout.splitlines()
    assert header.split() == ["queries", "nDCG@10", "R@10", "RR@10", "Success@1"]
    assert [line.split()[0] for line in (fused, *others[:2])] == ["fused", "bm25", "knn"]
    assert len(header) == len(fused) == len(intervals)


def test_a_proportion_has_the_interval_that_textbooks_give():
    values = numpy.array([[1.0], [0.0]] * 200)
    ((low, high),) = confidence_intervals(values)
    # 0.5 ± 1.96 √(0.25 / 400)
    assert low == pytest.approx(0.451, abs=0.006)
    assert high == pytest.approx(0.549, abs=0.006)
    assert confidence_intervals(values) == [(low, high)]


def test_the_paired_test_agrees_with_counting_every_sign():
    # of 2^8 choices of signs, two put all eight differences on one side
    always_better = numpy.full((8, 1), 0.25)
    (p,) = randomisation_test(always_better)
    assert p == pytest.approx(2 / 256, abs=0.003)
    assert randomisation_test(numpy.zeros((8, 1))) == [1.0]


def test_refusals_and_calibration_agree_with_those_counted_by_hand():
    verdicts = [
        Verdict(answerable=True, right=True, refused=False, probability=1.0),
        Verdict(answerable=True, right=False, refused=False, probability=0.9),
        Verdict(answerable=True, right=True, refused=True, probability=0.25),
        Verdict(answerable=False, right=False, refused=True, probability=0.25),
        Verdict(answerable=False, right=False, refused=False, probability=0.6),
    ]
    found = refusals(verdicts)
    assert (found["refusal_precision"], found["refusal_recall"]) == (0.5, 0.5)
    # |.95 - .5| of two, |.25 - .5| of two, |.6 - 0| of one
    error = calibration(verdicts)["calibration_error"]
    assert error == pytest.approx((2 * 0.45 + 2 * 0.25 + 0.6) / 5)
