"""Scores: how well two companies fit, and why, in both languages."""

from services.matching.domain.scoring.profiles import Profile, Reason, Recommendation
from services.matching.domain.scoring.scorer import Scorer
from services.matching.domain.scoring.texts import terms

__all__ = ["Profile", "Reason", "Recommendation", "Scorer", "terms"]
