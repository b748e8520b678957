"""A language model judges free answers, by the protocol of Video-ChatGPT (arXiv 2306.05424).

`protocol` has the prompt and reads what is answered, `client` asks an OpenAI-compatible server,
`cache` keeps every reply, `judge` brings them together, and `scores` sums the verdicts up.
"""
