"""Features that people define: arithmetic over other features and measures."""
