"""Scores: how well two companies fit, and why, in both languages."""

from services.matching.domain.scoring.profiles import Profile, Reason, Recommendation
from services.matching.domain.scoring.scorer import WISH_WORTH, Scorer
from services.matching.domain.scoring.texts import terms

__all__ = ["WISH_WORTH", "Profile", "Reason", "Recommendation", "Scorer", "terms"]
