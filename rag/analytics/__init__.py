"""What was asked in a period and what came of it: figures, and their pages."""
