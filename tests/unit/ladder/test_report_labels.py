"""Labels in the picture cover neither each other nor the bubbles."""

import random

from gradatim.ladder.report.labels import Spot, place_labels

FRAME = (0.0, 0.0, 800.0, 400.0)


def overlap(a, b):
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def inside(box, frame):
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def test_labels_of_crowded_bubbles_do_not_touch():
    rng = random.Random(0)
    for _ in range(20):
        spots = [
            Spot(rng.uniform(200, 600), rng.uniform(120, 280), rng.uniform(3, 14), rng.uniform(30, 110), 13)
            for _ in range(11)
        ]
        boxes = place_labels(spots, FRAME)
        for i, box in enumerate(boxes):
            assert all(overlap(box, other) < 1e-6 for other in boxes[:i])
            assert inside(box, FRAME)


def test_equal_points_get_different_places():
    boxes = place_labels([Spot(400, 200, 5, 60, 12)] * 6, FRAME)
    assert len(set(boxes)) == 6


def test_a_label_goes_out_of_the_way_of_a_line():
    alone = Spot(400, 200, 5, 60, 12)
    (free,) = place_labels([alone], FRAME)
    (moved,) = place_labels([alone], FRAME, [(free[0], free[1] + 4, free[2], free[1] + 6)])
    assert moved != free


def test_a_label_at_the_rim_stays_inside():
    (box,) = place_labels([Spot(798, 398, 5, 120, 12)], FRAME)
    assert inside(box, FRAME)
