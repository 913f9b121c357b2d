"""Survival: curves, competing risks, tests between groups, Cox models. Calls arrays, tails and the models' columns."""

from registry.stats.survival.kaplan_meier import kaplan_meier, survival_at
from registry.stats.survival.log_rank import log_rank, log_rank_trend, stratified_log_rank

__all__ = ["kaplan_meier", "log_rank", "log_rank_trend", "stratified_log_rank", "survival_at"]
