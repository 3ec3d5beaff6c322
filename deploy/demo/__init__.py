"""A bank to try the product on: generated or public, and a story told through the APIs."""
