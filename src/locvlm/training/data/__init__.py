"""What a stage learns from: pictures, questions, tokens, and how they lie in a batch."""
