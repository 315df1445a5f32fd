"""Benchmarks: one list of problems, one adapter a library, one race rule, one judge."""
