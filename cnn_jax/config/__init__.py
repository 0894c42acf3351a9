"""Configuration: the schema, its validation and the run plan. Imports no jax."""
