"""The 150 classes of ADE20K's scene parsing benchmark, and those that COCO annotates too.

Names are the first of each class's synonyms, in the order of the benchmark's
``objectInfo150.txt``: a pixel of class ``n`` has the value ``n`` from 1, and 0 is anything else
(Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017).
"""

from __future__ import annotations

_CLASSES = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,
person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf,
house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub,
railing, cushion, base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper,
fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door,
stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench,
countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel,
bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television, airplane,
dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage,
van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel,
basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name,
microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase,
traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower,
radiator, glass, clock, flag
"""

NAMES = tuple(
    _CLASSES.replace("\n", " ").strip().split(", ")
)  # the name of class n is NAMES[n - 1]

# Class -> the category of COCO that it overlaps with, sorted by why it does.
_THE_SAME = {
    "airplane": "airplane",
    "bed": "bed",
    "bench": "bench",
    "bicycle": "bicycle",
    "boat": "boat",
    "book": "book",
    "bottle": "bottle",
    "bus": "bus",
    "car": "car",
    "chair": "chair",
    "clock": "clock",
    "microwave": "microwave",
    "minibike": "motorcycle",  # also called motorbike
    "oven": "oven",
    "person": "person",
    "refrigerator": "refrigerator",
    "sink": "sink",
    "sofa": "couch",
    "television": "tv",
    "toilet": "toilet",
    "traffic light": "traffic light",
    "truck": "truck",
    "vase": "vase",
}
_A_KIND_OF = {
    "armchair": "chair",
    "cradle": "bed",
    "ship": "boat",
    "swivel chair": "chair",
    "van": "car",
}
_ANNOTATED_AS = {  # what COCO's annotators, with 80 names to choose from, call it
    "coffee table": "dining table",
    "crt screen": "tv",
    "monitor": "tv",
    "ottoman": "couch",
    "stool": "chair",
    "stove": "oven",
}
_A_NAME_FOR = {  # COCO's is one of the things that it means, or a part of COCO's
    "animal": "dog",
    "apparel": "tie",
    "bag": "handbag",
    "ball": "sports ball",
    "computer": "laptop",
    "flower": "potted plant",
    "food": "pizza",
    "glass": "wine glass",
    "plant": "potted plant",
    "plaything": "teddy bear",
    "pot": "potted plant",
    "seat": "chair",
    "signboard": "stop sign",
    "table": "dining table",
}
OVERLAP = {**_THE_SAME, **_A_KIND_OF, **_ANNOTATED_AS, **_A_NAME_FOR}

OWN = tuple(name for name in NAMES if name not in OVERLAP)  # not COCO's in any sense
