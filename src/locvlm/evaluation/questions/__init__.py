"""What is asked: how several tasks make their questions.

`detections` and `references` make questions of annotated objects, `clips` of videos; `presence`
draws what is there and what is not, and `short_answers` asks for a word or two. `texts`,
`coco_photos` and `ade20k` have words, names of files and classes of official data.
"""
