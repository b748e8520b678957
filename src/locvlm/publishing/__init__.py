"""A model for others: a plain Hugging Face folder, and the card that says what it is."""
