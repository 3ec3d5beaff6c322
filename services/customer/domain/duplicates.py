"""How likely two customers are one person: weights of evidence that add up (Fellegi and Sunter, 1969).

Each key that both have agrees or disagrees; its weight is the logarithm of how much more often that happens
in two files of one person than in files of two. Their sum with the prior is the logit of the score, so the
weights shown with a pair explain its score completely. What one of the two lacks says nothing.
"""

import math
from collections.abc import Mapping

PRIOR = -6.0
"""Two files that share a key by chance are about four hundred times as many as true pairs."""

WEIGHTS: Mapping[str, tuple[float, float]] = {
    "id_number": (12.0, -6.0),
    "phone": (5.0, -1.0),
    "name": (4.0, -2.0),
    "birth_date": (2.5, -3.0),
    "gender": (0.5, -2.0),
}
"""Agreement and disagreement. Phones change and families share them; an identity number does neither."""

LEAST_SCORE = 0.03
"""Pairs below are not worth a look and not kept: one phone, two names and nothing else scores 0.047."""


def weight(key: str, verdict: str) -> float:
    agree, disagree = WEIGHTS[key]
    return agree if verdict == "agree" else disagree


def score(evidence: Mapping[str, str]) -> float:
    """0 to 1, of `agree` or `disagree` by key."""
    return 1 / (1 + math.exp(-(PRIOR + sum(weight(key, verdict) for key, verdict in evidence.items()))))
