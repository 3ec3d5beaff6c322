"""What can be concluded from numbers: pure functions over mergeable moments."""
