"""Rule segments: one checked tree, two written forms, one compiled query."""
