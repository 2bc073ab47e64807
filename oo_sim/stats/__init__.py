"""Intervals, paired comparison, bands and profiles: arrays in, numbers out, and the user is the unit."""

from oo_sim.stats.bands import ROUNDING, Band, MaxT, max_t, sup_t_band
from oo_sim.stats.few import few_differ, few_interval, sign_test, too_few
from oo_sim.stats.intervals import Interval, clopper_pearson, mean_interval, t_interval, wilson
from oo_sim.stats.moments import Moments, merge, merge_all, moments
from oo_sim.stats.paired import Paired, detectable, holm, improvement, paired, t_test, users_for
from oo_sim.stats.profiles import Profile, interquartile_mean, iqm, performance_profile
from oo_sim.stats.resampling import Seed, generator, percentile_bounds, stratified_bootstrap
from oo_sim.stats.sequence import confidence_sequence, mixture_scale
from oo_sim.stats.skewed import skewed_interval

__all__ = [
    "ROUNDING",
    "Band",
    "Interval",
    "MaxT",
    "Moments",
    "Paired",
    "Profile",
    "Seed",
    "clopper_pearson",
    "confidence_sequence",
    "detectable",
    "few_differ",
    "few_interval",
    "generator",
    "holm",
    "improvement",
    "interquartile_mean",
    "iqm",
    "max_t",
    "mean_interval",
    "merge",
    "merge_all",
    "mixture_scale",
    "moments",
    "paired",
    "percentile_bounds",
    "performance_profile",
    "sign_test",
    "skewed_interval",
    "stratified_bootstrap",
    "sup_t_band",
    "t_interval",
    "t_test",
    "too_few",
    "users_for",
    "wilson",
]
