"""What a stage learns: the loss on its data."""
