"""The figures of the report, each a function of rows and a `Layout` that returns SVG text."""
