"""What every HTML report shares: one palette, one way to draw, one page frame, one way to write numbers."""
