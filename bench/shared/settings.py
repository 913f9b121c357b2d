"""The product's settings with the benchmark's bare view beside its addresses."""

from registry.settings import *  # noqa: F403

ROOT_URLCONF = "bench.shared.urls"

API_RATES = dict.fromkeys(("token", "address"), 10**9)  # what is measured is not refused
