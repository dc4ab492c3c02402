"""What is known of each language: its words, patterns and texts as data, and what reads them."""
