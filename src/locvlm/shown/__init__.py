"""Doors for text that is shown: whatever comes from files, models or servers is only text there.

Names, answers, messages and paths go to the terminal through `terminal` (lines) and `screen`
(tables), into Markdown through `markdown`, into addresses through `links`. HTML has its own door,
the templates of `locvlm.io.pages`.
"""
