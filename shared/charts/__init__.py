"""Charts as SVG from plain numbers: the same picture in the console, in a report and in print.

Geometry is pure; colours come from a palette, words and the way numbers are written from the caller.
"""
