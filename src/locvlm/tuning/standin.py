"""Stand-in."""
import json
from pathlib import Path
from locvlm.instructions.dataset import read_objects
from locvlm.evaluation.task import Sources


def sources_of(folder: Path, images: Path, split: str) -> Sources:
    data = read_objects(folder, split)
    cats = {n: i for i, n in enumerate(data.categories, 1)}
    doc = {"images": [], "annotations": [], "categories": [{"id": i, "name": n} for n, i in cats.items()]}
    for k, im in enumerate(data.images, 1):
        doc["images"].append({"id": k, "file_name": im.file_name, "width": im.width, "height": im.height})
        for o in im.objects:
            b = o.box
            doc["annotations"].append({"id": len(doc["annotations"]) + 1, "image_id": k, "category_id": cats[o.category], "bbox": [b.x1, b.y1, b.x2 - b.x1, b.y2 - b.y1], "area": b.area, "iscrowd": int(o.crowd)})
    path = folder.parent / f"{split}.json"
    path.write_text(json.dumps(doc))
    return Sources({"annotations": path}, images)
