"""Bayesian linear models: evidence, automatic relevance, Gibbs samplers; no scikit-learn.

Two or more of these meet only in :mod:`regsolve.ridge`, whose designs and factorisations they use.
"""
