"""Looks at held-out images while a stage trains: the best state is kept, the gap to seen ones told."""
