"""The built-in features, by what they are about."""
