"""How right answers are: the rules that several tasks share."""
