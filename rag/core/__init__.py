"""Values and contracts that every room shares; it imports nothing else of ours."""
