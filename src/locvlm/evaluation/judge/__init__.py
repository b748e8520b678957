"""A language model judges free answers, by the protocol of Video-ChatGPT (arXiv 2306.05424).

`protocol` has the prompt and reads what is answered, `cache` keeps every reply, `judge` brings them
together with a server (`locvlm.openai_client`), and `scores` sums the verdicts up.
"""
