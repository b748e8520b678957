"""What is made of finished runs, without a model: a report of one, comparisons of several."""
