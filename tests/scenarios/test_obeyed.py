"""Attacks that were obeyed, taken apart by two what-ifs."""

import pytest

from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import InputError
from ifonly.agents.reading import read
from ifonly.scenarios.inbox import sample
from ifonly.scenarios.obeyed import clean_answers, find_obeyed_attack, obeyed


def test_obeyed_runs_are_the_attacked_ones_whose_injection_succeeded():
    runs = [*sample(40, seed=1), *sample(40, seed=2, attacked=False)]
    chosen = obeyed(runs)
    assert chosen
    assert all(run.outcome.scores["security"] is True for run in chosen)
    assert [(len(run.steps), run.id) for run in chosen] == sorted((len(run.steps), run.id) for run in chosen)


def test_a_corpus_without_attacks_is_told():
    with pytest.raises(InputError, match="injection was obeyed"):
        find_obeyed_attack(Corpus(sample(5, seed=2, attacked=False)))


@pytest.mark.slow
@pytest.mark.data
def test_the_found_attack_is_turned_by_both_questions(agentdojo_runs):
    pytest.importorskip("agentdojo")
    files = [agentdojo_runs / f"gpt-4o-2024-05-13__{arm}.jsonl.gz" for arm in ("none", "important_instructions")]
    if not all(file.is_file() for file in files):
        pytest.skip("no compact AgentDojo runs of gpt-4o-2024-05-13")
    corpus = Corpus(read(files).trajectories)
    found = find_obeyed_attack(corpus)
    assert find_obeyed_attack(Corpus(corpus.runs[::-1])).run.id == found.run.id
    assert found.run.outcome.scores == {"utility": False, "security": True}
    assert found.clean.verdict == found.dropped.verdict == "answered"
    assert found.clean.outcomes["utility"].counterfactual.value == 1
    assert found.dropped.outcomes["security"].counterfactual.identified == "exact"
    assert found.run.sites.index(found.carrier) < found.run.sites.index(found.call)
    told = []
    answers = clean_answers(corpus, lambda done, total: told.append((done, total)))
    assert len(answers) == len(obeyed(corpus.runs)) == len(told)
    assert sum(answer.verdict == "answered" for answer in answers) > len(answers) / 2
